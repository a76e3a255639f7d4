from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from apps.core.models import BaseModel

DETAIL = 200  # characters
USER_AGENT = 200  # characters


class SecurityEvent(BaseModel):
    """What happened to an account: who did it, what, when and from where.

    Events are only ever added: the database refuses to change one. They go with their account, or
    after `SECURITY_EVENT_LIFETIME`.
    """

    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", "Account created"
        SIGNED_IN = "signed_in", "Signed in"
        SIGN_IN_FAILED = "sign_in_failed", "Wrong password"
        FACTOR_FAILED = "factor_failed", "Wrong second factor"
        SIGNED_OUT = "signed_out", "Signed out"
        PASSWORD_CHANGED = "password_changed", "Password changed"
        PASSWORD_RESET = "password_reset", "Password reset by email"
        EMAIL_ADDED = "email_added", "Email address added"
        EMAIL_CONFIRMED = "email_confirmed", "Email address confirmed"
        EMAIL_CHANGED = "email_changed", "Primary email address changed"
        EMAIL_REMOVED = "email_removed", "Email address removed"
        FACTOR_ADDED = "factor_added", "Second factor added"
        FACTOR_REMOVED = "factor_removed", "Second factor removed"
        CODES_CREATED = "codes_created", "Recovery codes created"
        ACCOUNT_CONNECTED = "account_connected", "Account connected"
        ACCOUNT_DISCONNECTED = "account_disconnected", "Account disconnected"
        SESSIONS_ENDED = "sessions_ended", "Other devices signed out"
        TOKEN_CREATED = "token_created", "Access token created"
        TOKEN_REVOKED = "token_revoked", "Access token revoked"
        DATA_REQUESTED = "data_requested", "Copy of the data requested"
        DATA_DOWNLOADED = "data_downloaded", "Copy of the data downloaded"
        DELETION_REQUESTED = "deletion_requested", "Account deleted"
        RESTORED = "restored", "Account restored"
        CHANGED_BY_STAFF = "changed_by_staff", "Changed by an administrator"

    updated_at = None  # type: ignore[assignment] # it never is
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="security_events"
    )
    # Only if it was someone else, such as an administrator.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    kind = models.CharField(max_length=30, choices=Kind)
    detail = models.CharField(max_length=DETAIL, blank=True)
    ip = models.GenericIPAddressField("IP address", null=True)
    user_agent = models.CharField(max_length=USER_AGENT, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="security_event_of_user"),
            models.Index(fields=["created_at"], name="security_event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.user}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)
