"""The admin of people and of what they sign in with.

Whoever can change someone's address, password, second factor or session can act as that person. So
people with rights are changed by superusers only, who alone grant rights, and what belongs to an
account can be looked at and deleted, but neither added nor edited.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar, cast

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import (
    GroupAdmin as DjangoGroupAdmin,
    UserAdmin as DjangoUserAdmin,
)
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.users import addresses, devices, mail, proof
from apps.users.backends import has_any_right, without_rights
from apps.users.forms import UserChangeForm, UserCreationForm, UserPasswordForm
from apps.users.models import PersonalAccessToken, SecurityEvent, User
from apps.users.security_log import Kind, record
from apps.users.signals import end_all_sessions
from dovetail.models.admin import VersionedAdmin
from dovetail.models.kit_admin import KitAdmin
from dovetail.search.admin import SearchAdmin

ModelT = TypeVar("ModelT", bound=Model)

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
PROVED = {*RIGHTS, "email", "is_active"}  # fields whose change needs a recent proof

# Providers are configured only in the environment, and no tokens are stored.
admin.site.unregister([SocialApp, SocialToken])
admin.site.unregister([Group, EmailAddress, Authenticator, SocialAccount, UserSession])


def administrator(request: HttpRequest) -> User:
    return cast("User", request.user)


def may_manage(request: HttpRequest, user: User) -> bool:
    """Return whether an administrator may act on this account: on those with rights, superusers."""
    return administrator(request).is_acting_superuser or not has_any_right(user)


def tell(user: User, change: str, *, to: str = "") -> None:
    record(Kind.CHANGED_BY_STAFF, user, detail=change)
    mail.send("account/email/changed_by_administrator", user, {"change": change}, to=to)


class ProofAdmin(KitAdmin[ModelT]):
    """Asks for a recent proof before actions, deletions and the saves that call `proof.require`."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        acts = request.method == "POST" and not self._only_confirms(request)
        if acts and (page := proof.ask(request)):
            return page
        return super().changelist_view(request, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and (page := proof.ask(request)):
            return page
        return super().delete_view(request, object_id, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # A form that turns out to be invalid after the proof is shown at the proof's URL.
        form_url = form_url or request.get_full_path()
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ReauthenticationRequired:
            return proof.ask(request) or redirect(request.get_full_path())

    def _only_confirms(self, request: HttpRequest) -> bool:
        """Return whether the action shows Django's list of what would be deleted."""
        return set(request.POST.getlist("action")) == {"delete_selected"} and (
            "post" not in request.POST
        )


@admin.register(Group)
class GroupAdmin(ProofAdmin[Group], DjangoGroupAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return administrator(request).is_acting_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        del obj
        return administrator(request).is_acting_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        del obj
        return administrator(request).is_acting_superuser

    def save_model(
        self, request: HttpRequest, obj: Group, form: ModelForm[Group], change: bool
    ) -> None:
        proof.require(request)
        super().save_model(request, obj, form, change)


@admin.register(User)
class UserAdmin(ProofAdmin[User], SearchAdmin[User], VersionedAdmin[User], DjangoUserAdmin[User]):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = UserPasswordForm
    ordering: ClassVar = ["-created_at"]
    list_display = ["email", "display_name", "is_staff", "is_active", "created_at"]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    actions = ["end_sessions", "ban", "lift_ban"]
    search_fields = ["email", "display_name"]
    readonly_fields = [
        *("last_login", "created_at", "updated_at"),
        *("deleted_at", "banned_at", "banned_by"),
    ]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Profile", {"fields": ["display_name", "biography", "avatar"]}),
        (
            "Permissions",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        (
            "Dates",
            {
                "fields": [
                    *("last_login", "created_at", "updated_at"),
                    *("deleted_at", "banned_at", "banned_by"),
                ]
            },
        ),
    ]
    add_fieldsets = [
        (
            None,
            {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]},
        )
    ]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_manage(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or may_manage(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if administrator(request).is_acting_superuser else [*fields, *RIGHTS]

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        """Save a user; changed rights, addresses and bans need a recent proof.

        Raises:
            PermissionDenied: someone other than a superuser changes rights, in a form that the
                read-only fields do not cover, as `list_editable` would make one.
        """
        changed = set(form.changed_data)
        if not changed.isdisjoint(RIGHTS) and not administrator(request).is_acting_superuser:
            raise PermissionDenied
        if not change:
            super().save_model(request, obj, form, change)
            addresses.vouch(obj)
            return
        if not changed.isdisjoint(PROVED):
            proof.require(request)
        if "is_active" in changed:
            self._set_active(request, obj, is_active=obj.is_active)
        super().save_model(request, obj, form, change)
        if rights := sorted(changed.intersection(RIGHTS)):
            record(Kind.CHANGED_BY_STAFF, obj, detail=f"changed {', '.join(rights)}")
        if "email" in changed:
            self._change_address(obj, form.initial["email"])

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Set another person's password; one's own is changed on the account's page."""
        if self.get_object(request, unquote(id)) == request.user:
            return redirect("account_change_password")
        if page := proof.ask(request, keep=False):
            return page
        return super().user_change_password(request, id, form_url)

    @admin.action(description="Sign out selected users on all devices", permissions=["change"])
    def end_sessions(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in self._manageable(request, users):
            end_all_sessions(user)
            record(Kind.CHANGED_BY_STAFF, user, detail="signed you out everywhere")
        self.message_user(request, "The selected users have been signed out.")

    @admin.action(description="Ban selected users", permissions=["change"])
    def ban(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Ban users, also those with closed accounts, who could restore them by signing in."""
        for user in self._manageable(request, users.exclude(pk=administrator(request).pk)):
            self._set_active(request, user, is_active=False)
        self.message_user(request, "The selected users have been banned.")

    @admin.action(description="Lift the ban of selected users", permissions=["change"])
    def lift_ban(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in self._manageable(request, users):
            user.lift_ban()
            record(Kind.CHANGED_BY_STAFF, user, detail="lifted your ban")
        self.message_user(request, "The selected users are no longer banned.")

    def _manageable(self, request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        if administrator(request).is_acting_superuser:
            return users
        manageable = without_rights(users)
        if users.count() > manageable.count():
            text = "Only a superuser can do this to people with rights, who have been left out."
            self.message_user(request, text, messages.WARNING)
        return manageable

    def _set_active(self, request: HttpRequest, user: User, *, is_active: bool) -> None:
        if is_active:
            user.lift_ban()
            user.restore()
            tell(user, "opened your account again")
        else:
            user.ban(administrator(request))
            record(Kind.CHANGED_BY_STAFF, user, detail="closed your account")
            end_all_sessions(user)

    def _change_address(self, user: User, old: str) -> None:
        """Replace the address, for which the administrator vouches, and tell the old one."""
        EmailAddress.objects.filter(user=user, email__iexact=old).delete()
        addresses.vouch(user)
        tell(user, "changed the email address of your account from this one", to=old)


class BelongingAdmin(ProofAdmin[ModelT]):
    """Shows rows that belong to a `user`, and deletes them for those who may manage that user.

    Secrets and keys are not shown, nor may the list be filtered by them, which would spell them out
    letter by letter.
    """

    removal = ""  # what to tell the person, as in "An administrator of this site …"
    list_select_related = ["user"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or may_manage(request, cast("Any", obj).user))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        del value, request
        return lookup.split(LOOKUP_SEP, maxsplit=1)[0] in self.list_filter

    def delete_model(self, request: HttpRequest, obj: ModelT) -> None:
        super().delete_model(request, obj)
        self.deleted([cast("Any", obj).user])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelT]) -> None:
        owners = list(User.objects.filter(pk__in=queryset.values("user")))
        super().delete_queryset(request, queryset)
        self.deleted(owners)

    def deleted(self, owners: Iterable[User]) -> None:
        if self.removal:
            for owner in owners:
                tell(owner, self.removal)


@admin.register(EmailAddress)
class EmailAddressAdmin(BelongingAdmin[EmailAddress], AllauthEmailAddressAdmin):  # type: ignore[misc]
    removal = "removed an email address of your account"
    fields = ["user", "email", "primary", "verified"]
    list_filter = ["primary", "verified"]

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return administrator(request).is_acting_superuser

    @admin.action(description="Mark selected addresses as confirmed", permissions=["verify"])
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        super().make_verified(request, queryset)


@admin.register(Authenticator)
class AuthenticatorAdmin(BelongingAdmin[Authenticator]):
    removal = "removed a way of two-factor sign-in from your account"
    fields = ["user", "type", "created_at", "last_used_at"]
    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type", "created_at", "last_used_at"]

    def deleted(self, owners: Iterable[User]) -> None:
        owners = list(owners)
        super().deleted(owners)
        for owner in owners:
            end_all_sessions(owner)


@admin.register(SocialAccount)
class SocialAccountAdmin(BelongingAdmin[SocialAccount]):
    removal = "disconnected an account that you could sign in with"
    fields = ["user", "provider", "uid", "last_login", "date_joined"]
    list_display = ["user", "uid", "provider"]
    list_filter = ["provider"]
    search_fields = ["uid", "user__email"]


@admin.register(UserSession)
class UserSessionAdmin(BelongingAdmin[UserSession]):
    """Sessions, without their keys; deleting one signs that browser out."""

    fields = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_filter = ["created_at"]
    search_fields = ["user__email", "ip"]


@admin.register(PersonalAccessToken)
class PersonalAccessTokenAdmin(BelongingAdmin[PersonalAccessToken]):
    """Access tokens, without their digests; deleting one revokes it."""

    removal = "revoked an access token of your account"
    fields = ["user", "name", "start", "scopes", "created_at", "expires_at", "last_used_at"]
    list_display = ["user", "name", "start", "created_at", "expires_at", "last_used_at"]
    list_filter = ["created_at", "expires_at", "last_used_at"]
    search_fields = ["user__email", "name", "start"]


@admin.register(SecurityEvent)
class SecurityEventAdmin(KitAdmin[SecurityEvent]):
    """Shows events; they are never added, changed or deleted here."""

    list_display = ["created_at", "kind", "user", "actor", "detail", "ip", "device"]
    list_filter = ["kind"]
    list_select_related = ["user", "actor"]
    search_fields = ["user__email", "ip"]
    search_help_text = "Email address or IP address"
    show_full_result_count = False

    @admin.display
    def device(self, event: SecurityEvent) -> str:
        return devices.describe(event.user_agent) if event.user_agent else ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        del request, obj
        return False
