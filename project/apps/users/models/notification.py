from collections.abc import Iterable
from typing import Any, ClassVar, Self
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.signals import post_delete
from django.utils import timezone

from apps.core.models import SoftDeleteManager, SoftDeleteModel, SoftDeleteQuerySet
from apps.users.models.user import User
from dovetail.models.signals import rows_changed
from dovetail.turbo.broadcasting import broadcast_update_to

COUNT = "users/_notification_count.html"


class NotificationQuerySet(SoftDeleteQuerySet["Notification"]):
    def for_person(self, user: User | AnonymousUser) -> Self:
        return self.filter(recipient_id=user.pk)

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)

    def read(self) -> Self:
        return self.filter(read_at__isnull=False)

    def mark_read(self) -> None:
        self.unread().update(read_at=timezone.now())


class Notification(SoftDeleteModel):
    """Informs a person of an event.

    Each kind of notification is a model of the app that it belongs to:

        class CommentNotification(Notification):
            comment = models.OneToOneField(Comment, on_delete=models.CASCADE)
            details = ("comment__author",)

    It is deleted and restored with the row it refers to. The list of notifications shows it with
    the template `articles/_commentnotification.html`.

    Attributes:
        details: the related rows that the template needs, as `select_related` takes them.
    """

    details: ClassVar[tuple[str, ...]] = ()

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=100, editable=False)  # the label of its model
    read_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SoftDeleteManager.from_queryset(NotificationQuerySet)()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["recipient"],
                condition=Q(read_at__isnull=True, deleted_at__isnull=True),
                name="user_notification_unread",
            ),
        ]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        rows_changed.connect(_on_rows_changed, sender=cls)
        post_delete.connect(_on_hard_delete, sender=cls)

    def __str__(self) -> str:
        return f"{self.kind} for {self.recipient}"

    @property
    def template_name(self) -> str:
        """The template that shows one notification of this kind in the list."""
        return f"{self._meta.app_label}/_{self._meta.model_name}.html"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            self.kind = self._meta.label_lower
        super().save(*args, **kwargs)
        self.broadcast_count(self.recipient)

    @classmethod
    def broadcast_count(cls, person: User) -> None:
        """Show a person's number of unread notifications on all their open pages."""
        unread = Notification.objects.for_person(person).unread()
        broadcast_update_to(
            person,
            "notifications",
            target="notification_count",
            template=COUNT,
            count=unread.count,  # called after the commit, to include what others have committed
        )


def with_details(notifications: Iterable[Notification]) -> list[Notification]:
    """Return notifications as instances of their own models, in the same order.

    Runs one query for each kind. Kinds whose app is gone are left out.
    """
    rows = list(notifications)
    details: dict[UUID, Notification] = {}
    for kind in {row.kind for row in rows}:
        try:
            model: Any = apps.get_model(kind)
        except LookupError:
            continue
        pks = [row.pk for row in rows if row.kind == kind]
        # With no names at all, `select_related` would follow every foreign key.
        details |= model._default_manager.select_related(*(model.details or (None,))).in_bulk(pks)
    return [details[row.pk] for row in rows if row.pk in details]


def _on_rows_changed(sender: type[Notification], *, pks: list[Any], using: str, **_: Any) -> None:
    """Update the number on the recipients' pages after a bulk operation."""
    del sender
    rows = Notification.all_objects.using(using).filter(pk__in=pks)
    for person in User.objects.using(using).filter(pk__in=rows.values("recipient")):
        Notification.broadcast_count(person)


def _on_hard_delete(instance: Notification, **_: Any) -> None:
    Notification.broadcast_count(User(pk=instance.recipient_id))  # who may be deleted, too


rows_changed.connect(_on_rows_changed, sender=Notification)
