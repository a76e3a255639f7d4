"""Signs people in by a confirmed address, and withholds permissions that need a second factor.

Own code because allauth signs in by unconfirmed addresses too, and asks for a second factor only of
people who have one. The rules belong here and not in views, because every view, template and API
asks the backend.
"""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend as AllauthBackend
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet, Value

from apps.users import addresses
from apps.users.models import User
from dovetail.models.prepared import Prepared

PERMISSIONS = Prepared(
    lambda user: _permissions("user", user=user).union(
        _permissions("group", group__user=user), all=True
    )
)


class AuthenticationBackend(AllauthBackend):  # type: ignore[misc]
    """Grants nothing while MFA_REQUIRED_FOR_STAFF is on and the person has no second factor.

    That holds for whoever has permissions, whether or not they may enter the admin. People without
    any are not asked, so this costs members no query. `User` does the same for superusers, about
    whom Django asks no backend.
    """

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        user: User | None = self._check_password(addresses.owner(email), password)
        return user

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return _granted(user_obj, super().get_user_permissions(user_obj, obj))

    async def aget_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = await super().aget_user_permissions(user_obj, obj)
        return await sync_to_async(_granted)(user_obj, granted) if granted else set()

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return _granted(user_obj, super().get_group_permissions(user_obj, obj))

    async def aget_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = await super().aget_group_permissions(user_obj, obj)
        return await sync_to_async(_granted)(user_obj, granted) if granted else set()

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        is_asked = user_obj.is_active and not user_obj.is_anonymous and obj is None
        if is_asked and not user_obj.is_superuser and not hasattr(user_obj, "_user_perm_cache"):
            _load(user_obj)
        permissions: set[str] = super()._get_permissions(user_obj, obj, from_name)
        return permissions

    def with_perm(
        self,
        perm: str | Permission,
        is_active: bool | None = True,
        include_superusers: bool = True,
        obj: Any = None,
    ) -> QuerySet[User]:
        users: QuerySet[User] = super().with_perm(perm, is_active, include_superusers, obj)
        if settings.MFA_REQUIRED_FOR_STAFF:
            users = users.filter(User.has_factor())
        return users


def without_rights(users: QuerySet[User]) -> QuerySet[User]:
    """Leave out people with any right, whether or not it is withheld at present."""
    has_right = (
        Q(is_staff=True)
        | Q(is_superuser=True)
        | Q(user_permissions__isnull=False)
        | Q(groups__permissions__isnull=False)
    )
    return users.exclude(pk__in=User.objects.filter(has_right).values("pk"))


def has_any_right(user: User) -> bool:
    return not without_rights(User.objects.filter(pk=user.pk)).exists()


def has_withheld_rights(user: User) -> bool:
    """Return whether a second factor would give this person rights that they lack without one."""
    return user.are_rights_withheld and has_any_right(user)


def _load(user: User) -> None:
    """Load a person's permissions with one query, where Django takes two.

    Every signed-in request asks for them, so they took a fifth of the time of a list in the API.
    """
    found: dict[str, set[str]] = {"user": set(), "group": set()}
    for source, app, name in PERMISSIONS.rows(user.pk):
        found[source].add(f"{app}.{name}")
    for source, permissions in found.items():
        setattr(user, f"_{source}_perm_cache", permissions)  # where Django keeps them


def _permissions(source: str, **conditions: Any) -> QuerySet[Permission, Any]:
    permissions = Permission.objects.filter(**conditions).order_by()
    return permissions.annotate(source=Value(source)).values_list(
        "source", "content_type__app_label", "codename"
    )


def _granted(user: Any, permissions: set[str]) -> set[str]:
    if permissions and isinstance(user, User) and user.are_rights_withheld:
        return set()
    return permissions
