from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.db.models.signals import pre_delete
from django.utils import timezone

from apps.articles.models.article import Article
from apps.core.models import SoftDeleteManager, SoftDeleteModel, SoftDeleteQuerySet
from apps.users.models import User
from dovetail.http.reverse import reverse
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
TOO_MANY = "You have posted a lot of comments in a short time. Please wait a minute."


class CommentQuerySet(SoftDeleteQuerySet["Comment"]):
    def shown_to(self, user: User | AnonymousUser) -> Self:
        """Leave out deleted comments, except the user's own that a moderator removed.

        Call it on `all_objects`. Authors see from those that, and why, their comment is gone.
        """
        if not user.is_authenticated:
            return self.undeleted()
        removed = Q(author=user.pk, deleted_by__isnull=False) & ~Q(deleted_by=user.pk)
        return self.filter(Q(deleted_at=None) | removed)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Limit to comments on the articles that this user may read."""
        return self.filter(article__in=Article.objects.visible_to(user))

    def editable_by(self, user: User | AnonymousUser) -> Self:
        return self._by_author_or(user, "articles.change_comment")

    def deletable_by(self, user: User | AnonymousUser) -> Self:
        return self._by_author_or(user, "articles.delete_comment")

    def _by_author_or(self, user: User | AnonymousUser, permission: str) -> Self:
        if user.has_perm(permission):
            return self
        return self.filter(author=user) if user.is_authenticated else self.none()

    def count_for_each_article(self) -> Coalesce:
        """Return the number of these comments, as an annotation of articles.

        It is a subquery, so that the articles can be locked.
        """
        of_article = self.filter(article=OuterRef("pk")).order_by().values("article")
        return Coalesce(Subquery(of_article.annotate(number=Count("pk")).values("number")), 0)


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
        return reverse("articles:comment", self.article.slug, self.pk)

    def can_be_edited_by(self, user: User | AnonymousUser) -> bool:
        return user.pk == self.author_id or user.has_perm("articles.change_comment")

    def can_be_deleted_by(self, user: User | AnonymousUser) -> bool:
        return user.pk == self.author_id or user.has_perm("articles.delete_comment")

    @classmethod
    def is_limit_reached(cls, author: User) -> bool:
        """Return whether this author has used up the comments of the last minute."""
        return cls.time_to_wait(author) > timedelta(0)

    @classmethod
    def time_to_wait(cls, author: User) -> timedelta:
        """Return how long it takes until this author may write another comment.

        Deleted comments count, too. Call it in the transaction that saves the comment, so that
        those that come at the same time are counted one after the other.
        """
        list(User.objects.select_for_update(no_key=True).filter(pk=author.pk).values_list("pk"))
        now, minute = timezone.now(), timedelta(minutes=1)
        written = cls.all_objects.filter(author=author, created_at__gt=now - minute)
        latest = written.order_by("-created_at").values_list("created_at", flat=True)
        counted = list(latest[:MAX_PER_MINUTE])
        return counted[-1] + minute - now if len(counted) == MAX_PER_MINUTE else timedelta(0)

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
