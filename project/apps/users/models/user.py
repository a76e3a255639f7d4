from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from apps.core.models import BaseManager, BaseModel
from apps.users.fields import LowercaseEmailField
from dovetail.media.fields import ImageField
from dovetail.media.names import RandomName
from dovetail.models.cascade import delete_dependents, dependents_deleted
from dovetail.search import SearchConfig, SearchIndex

AVATAR = 512  # pixels, the sides of the square


class UserManager(BaseManager["User"], DjangoUserManager["User"]):
    use_in_migrations = True

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
            ValidationError: the address is confirmed for another account.
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
        max_length=80, blank=True, help_text="Shown next to what you write."
    )
    biography = models.TextField(max_length=600, blank=True, help_text="A few sentences about you.")
    avatar = ImageField(upload_to=RandomName("avatars"), square=AVATAR, blank=True)
    avatar_small = ImageField(upload_to=RandomName("avatars"), blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    # When all of their sessions were last ended: a sign-in that began before is refused.
    sessions_ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[misc] # a class variable in AbstractUser

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
        ]
        indexes = [
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
        return reverse("users:profile", args=[self.pk])

    def get_short_name(self) -> str:
        return self.get_full_name()

    @property
    def is_mfa_enabled(self) -> bool:
        """Whether the account has a second factor or a passkey, not counting recovery codes."""
        factors = self.authenticator_set  # type: ignore[attr-defined]
        return bool(factors.exclude(type="recovery_codes").exists())

    @property
    def removed_on(self) -> datetime | None:
        """When the account will be deleted for good, unless its owner logs in before."""
        return self.deleted_at and self.deleted_at + settings.ACCOUNT_DELETION_GRACE

    def request_deletion(self) -> None:
        """Close the account and hide what belongs to it, until a login restores both."""
        with transaction.atomic():
            self.deleted_at = timezone.now()
            self.is_active = False
            self.save(update_fields=["deleted_at", "is_active", "updated_at"])
            delete_dependents(self, self.deleted_at)

    request_deletion.alters_data = True  # type: ignore[attr-defined]

    def restore(self) -> None:
        """Undo `request_deletion`.

        Rows that cannot be restored, such as one whose unique value has been taken, stay deleted.
        """
        if self.deleted_at is None:
            return
        with transaction.atomic():
            at, self.deleted_at, self.is_active = self.deleted_at, None, True
            self.save(update_fields=["deleted_at", "is_active", "updated_at"])
            for row in dependents_deleted(self, at):
                try:
                    row.restore()
                except ValidationError:
                    continue

    restore.alters_data = True  # type: ignore[attr-defined]
