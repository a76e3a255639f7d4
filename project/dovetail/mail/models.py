"""The kit's tables for mail: where none is sent to, and what people have turned off."""

from contextlib import suppress
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.encoding import punycode

from dovetail.mail import topics
from dovetail.models import BaseManager, BaseModel, BaseQuerySet
from dovetail.storable import storable

LONGEST_ADDRESS = 254  # characters (RFC 5321, 4.5.3.1.3, without the angle brackets)


def normalized(address: str) -> str:
    """Return an address as it is stored, whatever its case and the form of its domain.

    Providers report an international domain in the form that Django gives them, that of RFC 3490.
    """
    local, _, domain = address.strip().lower().rpartition("@")
    with suppress(UnicodeError):  # no domain, which Django refuses to send to
        domain = punycode(domain)
    return f"{local}@{domain}"


class SuppressionQuerySet(BaseQuerySet["Suppression"]):
    def for_address(self, address: str) -> Self:
        return self.filter(address=normalized(address))

    def record(
        self, address: str, reason: "Suppression.Reason", *, at: datetime, detail: str = ""
    ) -> None:
        """Stop mail to an address that people can turn off.

        The first reason stays, whichever comes again, but a complaint counts more than others.

        Args:
            address: in any case.
            reason: why.
            at: when the provider noticed.
            detail: what it said.
        """
        detail, at = storable(detail)[:500], min(at, timezone.now())
        values: dict[str, Any] = {"reason": reason, "occurred_at": at, "detail": detail}
        row, is_new = self.get_or_create(address=normalized(address), defaults=values)
        complaint = Suppression.Reason.COMPLAINT
        if not is_new and complaint == reason != row.reason:
            self.filter(pk=row.pk).update(**values)


class Suppression(BaseModel):
    """An address to which only mail about the account itself is sent.

    Attributes:
        address: in lower case.
        detail: what the receiving server or the provider said.
    """

    class Reason(models.TextChoices):
        BOUNCE = "bounce", "Mail bounces"
        COMPLAINT = "complaint", "Marked as spam"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed at the provider"

    address = models.EmailField(max_length=LONGEST_ADDRESS, unique=True)
    reason = models.CharField(max_length=20, choices=Reason)
    detail = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField()

    objects = BaseManager.from_queryset(SuppressionQuerySet)()

    class Meta:
        ordering = ("-occurred_at", "-id")

    def __str__(self) -> str:
        return self.address


class OptOutQuerySet(BaseQuerySet["OptOut"]):
    def turn_off(self, user_id: Any, topic: str) -> None:
        """Send someone no more mail of a topic; nothing happens if they get none already."""
        self.get_or_create(user_id=user_id, topic=topic)

    def set_all(self, user_id: Any, wanted: set[str]) -> None:
        """Turn off all topics except those that someone wants."""
        names = {topic.name for topic in topics.all_topics()}
        self.filter(user=user_id, topic__in=names & wanted).delete()
        rows = [OptOut(user_id=user_id, topic=name) for name in sorted(names - wanted)]
        self.bulk_create(rows, ignore_conflicts=True)


class OptOut(BaseModel):
    """The decision of a person not to get mail of a topic."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_opt_outs"
    )
    topic = models.CharField(max_length=50)

    objects = BaseManager.from_queryset(OptOutQuerySet)()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "topic"], name="mail_opt_out_is_unique"),
        ]

    def __str__(self) -> str:
        return self.topic
