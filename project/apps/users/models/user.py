from datetime import datetime
from typing import Any, ClassVar, Self, Union

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import (
    AbstractUser,
    AnonymousUser,
    UserManager as DjangoUserManager,
)
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.fields.files import FieldFile
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property

from apps.core.models import BaseManager, BaseModel, BaseQuerySet
from apps.users.fields import LowercaseEmailField
from dovetail.http.reverse import reverse
from dovetail.lines import validate_line
from dovetail.media.fields import ImageField
from dovetail.media.names import RandomName
from dovetail.media.variants import VariantsField, variant_of
from dovetail.models.cascade import delete_dependents, dependents_deleted
from dovetail.search import SearchConfig, SearchIndex

AVATAR = 512  # pixels, the sides of the square
MAX_PASSWORD = 1024  # characters; OWASP ASVS 6.2.9 asks for at least 64
STATE = ("is_active", "deleted_at", "banned_at", "banned_by_id")


class UserQuerySet(BaseQuerySet["User"]):
    def visible_to(self, user: Union["User", AnonymousUser]) -> Self:
        """Leave out closed accounts, except for those who look after accounts."""
        if user.has_perm("users.view_user"):
            return self
        return self.filter(deleted_at__isnull=True)

    def with_profile(self) -> Self:
        """Limit to the people whose profile anyone may read: no closed or banned accounts."""
        return self.filter(is_active=True)


class UserManager(BaseManager["User"], DjangoUserManager["User"]):
    use_in_migrations = True

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def create_user(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """Create a user who logs in with an email address and a password."""
        fields.setdefault("is_staff", False)
        fields.setdefault("is_superuser", False)
        return self._create(email, password, **fields)

    def create_superuser(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """Create an administrator, whose address counts as confirmed so that they can sign in.

        Raises:
            ValidationError: the address is confirmed for another account, or the password is longer
                than `MAX_PASSWORD`.
        """
        from allauth.account.models import EmailAddress  # noqa: PLC0415 - needs this model

        with transaction.atomic(using=self._db):
            user = self._create(
                email, password, **fields | {"is_staff": True, "is_superuser": True}
            )
            addresses = EmailAddress.objects.using(self._db)
            if addresses.filter(email=user.email, verified=True).exists():
                raise ValidationError(f"{user.email} is confirmed for another account.")
            addresses.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def _create(self, email: str, password: str | None, **fields: Any) -> "User":
        if not email:
            raise ValueError("A user needs an email address.")
        if password and len(password) > MAX_PASSWORD:
            raise ValidationError(f"The password is longer than {MAX_PASSWORD:,} characters.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser, BaseModel):
    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = LowercaseEmailField("email address", unique=True)
    display_name = models.CharField(
        max_length=80,
        blank=True,
        validators=[validate_line],
        help_text="Shown next to what you write.",
    )
    biography = models.TextField(max_length=600, blank=True, help_text="A few sentences about you.")
    avatar = ImageField(upload_to=RandomName("avatars"), square=AVATAR, blank=True)
    avatar_variants = VariantsField("avatar", {"small": 96, "large": 256})
    # When the person closed the account. `banned_at` is when an administrator did: each can be
    # undone only by those who did it, and the account is active only if neither is set.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    banned_at = models.DateTimeField(null=True, blank=True, editable=False)
    banned_by = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,  # the ban outlives the account of who imposed it
        db_constraint=False,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    # When all of their sessions were last ended: a sign-in that began before is refused.
    sessions_ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Here and not only in MappedRights, so that a request needs no query to see that none expired.
    mapped_rights_expire_at = models.DateTimeField(
        null=True, blank=True, editable=False, db_index=True
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[misc] # a class variable in AbstractUser

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
            models.CheckConstraint(
                condition=models.Q(banned_at=None) | models.Q(is_active=False),
                name="user_banned_is_inactive",
            ),
        ]
        indexes = [
            # dovetail.media looks for the rows of a file.
            models.Index(fields=["avatar"], name="user_avatar"),
            SearchIndex(
                SearchConfig(
                    {"email": 3, "display_name": 2, "biography": 1},
                    autocomplete=["email", "display_name"],
                ),
                columns=["is_active", "is_staff", "created_at", "deleted_at"],
                name="user_search",
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name()

    def get_full_name(self) -> str:
        """Return the name to show; never the full email address, which is private."""
        return self.display_name or self.email.partition("@")[0]

    def get_absolute_url(self) -> str:
        return reverse("users:profile", self.pk)

    def get_short_name(self) -> str:
        return self.get_full_name()

    @property
    def list_avatar(self) -> FieldFile:
        """The picture for lists: the small one, or the large one until a task has made it."""
        return variant_of(self.avatar, "small")

    @property
    def is_mfa_enabled(self) -> bool:
        """Whether the account has a second factor or a passkey, not counting recovery codes."""
        factors = self.authenticator_set  # type: ignore[attr-defined]
        return bool(factors.exclude(type="recovery_codes").exists())

    @staticmethod
    def has_factor() -> models.Exists:
        """Return the condition of a query for users with `is_mfa_enabled`."""
        from allauth.mfa.models import Authenticator  # noqa: PLC0415 - needs this model

        factors = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
        return models.Exists(factors.filter(user=models.OuterRef("pk")))

    @cached_property
    def are_rights_withheld(self) -> bool:
        """Whether staff status and permissions don't count, for want of a second factor.

        Ask only where there is a right to withhold: it costs a query, once per instance, which
        Django loads anew for each request, as it does for permissions.
        """
        return settings.MFA_REQUIRED_FOR_STAFF and not self.is_mfa_enabled

    @property
    def is_acting_staff(self) -> bool:
        """Whether the person may use the admin now; ask this instead of `is_staff`."""
        return self.is_active and self.is_staff and not self.are_rights_withheld

    @property
    def is_acting_superuser(self) -> bool:
        """Whether the person has all permissions now; ask this instead of `is_superuser`."""
        return self.is_active and self.is_superuser and not self.are_rights_withheld

    # Django grants a superuser everything without asking the backend, which withholds the
    # permissions of all others (apps.users.backends).

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return not self._is_held_superuser() and super().has_perm(perm, obj)

    async def ahas_perm(self, perm: str, obj: Any = None) -> bool:
        if self.is_superuser and await sync_to_async(self._is_held_superuser)():
            return False
        return await super().ahas_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return not self._is_held_superuser() and super().has_module_perms(app_label)

    async def ahas_module_perms(self, app_label: str) -> bool:
        if self.is_superuser and await sync_to_async(self._is_held_superuser)():
            return False
        return await super().ahas_module_perms(app_label)

    def _is_held_superuser(self) -> bool:
        return self.is_superuser and self.are_rights_withheld

    @property
    def removed_on(self) -> datetime | None:
        """When the account will be deleted for good, unless its owner logs in before."""
        return self.deleted_at and self.deleted_at + settings.ACCOUNT_DELETION_GRACE

    def request_deletion(self) -> None:
        """Close the account and hide what belongs to it, until a login restores both."""
        with transaction.atomic():
            self._lock()
            self.deleted_at = timezone.now()
            self._save_state()
            delete_dependents(self, self.deleted_at, self.pk)

    request_deletion.alters_data = True  # type: ignore[attr-defined]

    def restore(self) -> None:
        """Undo `request_deletion`. An account that is also banned stays closed.

        Rows that cannot be restored, such as one whose unique value has been taken, stay deleted,
        and so do those that a moderator has removed.
        """
        with transaction.atomic():
            self._lock()
            if self.deleted_at is None or self.banned_at:
                return
            at, self.deleted_at = self.deleted_at, None
            self._save_state()
            for row in dependents_deleted(self, at, self.pk):
                try:
                    row.restore()
                except ValidationError:
                    continue

    restore.alters_data = True  # type: ignore[attr-defined]

    def ban(self, by: "User") -> None:
        """Deactivate the account until someone with the permission to change it lifts the ban.

        Signing in restores no account that is banned, even if its owner had closed it before.
        """
        with transaction.atomic():
            self._lock()
            self.banned_at = self.banned_at or timezone.now()
            self.banned_by = by
            self._save_state()

    ban.alters_data = True  # type: ignore[attr-defined]

    def lift_ban(self) -> None:
        """Undo `ban`, or a deactivation that names no one.

        An account that its owner has closed stays closed.
        """
        with transaction.atomic():
            self._lock()
            self.banned_at = self.banned_by = None
            self._save_state()

    lift_ban.alters_data = True  # type: ignore[attr-defined]

    def _lock(self) -> None:
        """Lock the row, and read its state as it is now."""
        stored = User.objects.select_for_update().values(*STATE).get(pk=self.pk)
        if not stored["is_active"] and not stored["deleted_at"] and not stored["banned_at"]:
            stored["banned_at"] = timezone.now()  # by code that only knows Django's field
        for name, value in stored.items():
            setattr(self, name, value)

    def _save_state(self) -> None:
        self.is_active = self.deleted_at is None and self.banned_at is None
        self.save(update_fields=[*STATE, "updated_at"])
