from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.signals import pre_delete
from django.urls import reverse
from django.utils import timezone

from apps.core.models import SoftDeleteManager, SoftDeleteModel, SoftDeleteQuerySet
from apps.users.models import User
from dovetail.models.signals import rows_changed
from dovetail.turbo.broadcasting import (
    broadcast_append_to,
    broadcast_refresh_to,
    broadcast_remove_to,
    broadcast_replace_to,
)
from dovetail.turbo.streams import dom_id

TEMPLATE = "articles/_comment.html"
MAX_PER_MINUTE = 10  # per author, because each comment is broadcast to every reader


class CommentQuerySet(SoftDeleteQuerySet["Comment"]):
    def shown_to(self, user: User | AnonymousUser) -> Self:
        """Leave out deleted comments, except the user's own that a moderator removed.

        Call it on `all_objects`. Authors see from those that, and why, their comment is gone.
        """
        if not user.is_authenticated:
            return self.undeleted()
        removed = Q(author=user.pk, deleted_by__isnull=False) & ~Q(deleted_by=user.pk)
        return self.filter(Q(deleted_at=None) | removed)


class Comment(SoftDeleteModel):
    """A reader's comment on an article. It appears at once on every open page of the article."""

    owner_field = "author"

    article = models.ForeignKey(
        "articles.Article", on_delete=models.CASCADE, related_name="comments"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="comments"
    )
    body = models.TextField("comment", max_length=2000)

    objects = SoftDeleteManager.from_queryset(CommentQuerySet)()
    all_objects = SoftDeleteManager.from_queryset(CommentQuerySet)(with_deleted=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.body[:50]

    def get_absolute_url(self) -> str:
        return reverse("articles:comment", args=[self.article.slug, self.pk])

    @classmethod
    def is_limit_reached(cls, author: User) -> bool:
        """Return whether this author has used up the comments of the last minute.

        Deleted comments count, too.
        """
        recent = timezone.now() - timedelta(minutes=1)
        written = cls.all_objects.filter(author=author, created_at__gt=recent)
        return written.count() >= MAX_PER_MINUTE

    def save(self, *args: Any, **kwargs: Any) -> None:
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if is_new:
            comments = dom_id(self.article, "comments")
            broadcast_append_to(self.article, target=comments, template=TEMPLATE, comment=self)
        else:
            broadcast_replace_to(
                self.article, target=self, template=TEMPLATE, method="morph", comment=self
            )


def broadcast_bulk_change(sender: type[Comment], *, pks: list[Any], using: str, **_: Any) -> None:
    """Remove deleted comments from open pages, and refresh the pages that show the others."""
    del sender
    comments = Comment.all_objects.using(using).filter(pk__in=pks, article__deleted_at=None)
    for comment in comments.select_related("article"):
        if comment.is_deleted:
            broadcast_remove_to(comment.article, target=comment)
        else:
            broadcast_refresh_to(comment.article)


def broadcast_hard_deletion(instance: Comment, **_: Any) -> None:
    """Remove a comment that is deleted for good, perhaps together with its article, from pages."""
    broadcast_remove_to(f"articles.article:{instance.article_id}", target=instance)


rows_changed.connect(broadcast_bulk_change, sender=Comment)
pre_delete.connect(broadcast_hard_deletion, sender=Comment)
