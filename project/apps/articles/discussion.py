"""Comments on articles, and the notes that tell authors of them."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from apps.core.models import BaseModel, SoftDeleteModel
from apps.core.turbo.broadcasting import (
    broadcast_append_to,
    broadcast_refresh_to,
    broadcast_remove_to,
    broadcast_replace_to,
    broadcast_update_to,
)
from apps.core.turbo.streams import dom_id
from apps.users.models import User

COMMENT = "articles/_comment.html"
COUNT = "articles/_notification_count.html"
A_MINUTE = 10  # comments that one person may write; each reaches every reader's page


class Comment(SoftDeleteModel):
    """What a reader says about an article. It appears on every open page of it at once."""

    article = models.ForeignKey(
        "articles.Article", on_delete=models.CASCADE, related_name="comments"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="comments"
    )
    body = models.TextField("comment", max_length=2000)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.body[:50]

    def get_absolute_url(self) -> str:
        return reverse("articles:comment", args=[self.article.slug, self.pk])

    @classmethod
    def is_flooded_by(cls, author: User) -> bool:
        """Tell whether somebody has written all that they may in a minute, the deleted included."""
        recent = timezone.now() - timedelta(minutes=1)
        written = cls.all_objects.filter(author=author, created_at__gt=recent)
        return written.count() >= A_MINUTE

    def save(self, *args: Any, **kwargs: Any) -> None:
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if not is_new:
            broadcast_replace_to(
                self.article, target=self, template=COMMENT, method="morph", comment=self
            )
            return
        broadcast_append_to(
            self.article, target=dom_id(self.article, "comments"), template=COMMENT, comment=self
        )
        if self.author_id != self.article.author_id:
            Notification(recipient=self.article.author, comment=self).save()

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        result = super().delete(using, keep_parents)
        broadcast_remove_to(self.article, target=self)
        Notification.broadcast_count(self.article.author)
        return result

    def restore(self) -> int:
        restored = super().restore()
        broadcast_refresh_to(self.article)  # it returns to its place among the others
        Notification.broadcast_count(self.article.author)
        return restored


class NotificationQuerySet(models.QuerySet["Notification"]):
    def for_person(self, user: User | AnonymousUser) -> "NotificationQuerySet":
        """Those of this person whose comment and article are still there."""
        return self.filter(
            recipient_id=user.pk,
            comment__deleted_at__isnull=True,
            comment__article__deleted_at__isnull=True,
        )

    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)

    def mark_read(self, user: User) -> None:
        """Mark all of a person's as read; the number in their navigation goes at once."""
        self.for_person(user).unread().update(read_at=timezone.now())
        Notification.broadcast_count(user)


class Notification(BaseModel):
    """Tells the author of an article that somebody has commented on it."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    comment = models.OneToOneField(Comment, on_delete=models.CASCADE)
    read_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["recipient"],
                condition=Q(read_at__isnull=True),
                name="notification_unread",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.comment.author} commented on “{self.comment.article}”"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self.broadcast_count(self.recipient)

    @classmethod
    def broadcast_count(cls, person: User) -> None:
        """Show a person's number of unread notes in all of their open pages."""
        broadcast_update_to(
            person,
            "notifications",
            target="notification_count",
            template=COUNT,
            # Called when it is rendered, after the commit: what others have committed counts too.
            count=cls.objects.for_person(person).unread().count,
        )
