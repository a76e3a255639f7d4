from typing import Any

from django.db import models
from django.db.models.signals import post_save

from apps.articles.models.comment import Comment
from apps.users.models import Notification
from dovetail.models.signals import rows_changed


class CommentNotification(Notification):
    """Tells an author about a comment on their article.

    It is deleted and restored with the comment.
    """

    comment = models.OneToOneField(Comment, on_delete=models.CASCADE, related_name="notification")

    details = ("comment__author", "comment__article")

    def __str__(self) -> str:
        return f"{self.comment.author} commented on “{self.comment.article}”"


def notify_author(instance: Comment, *, created: bool, raw: bool, **_: Any) -> None:
    """Notify the author of the article about a new comment, unless they wrote it."""
    author = instance.article.author
    if created and not raw and instance.author_id != author.pk:
        CommentNotification(recipient=author, comment=instance).save()


def notify_authors(
    sender: type[Comment], *, pks: list[Any], using: str, is_created: bool, **_: Any
) -> None:
    """Do the same for comments that were created in bulk."""
    del sender
    if is_created:
        comments = Comment.objects.using(using).filter(pk__in=pks, notification=None)
        for comment in comments.select_related("article__author"):
            notify_author(comment, created=True, raw=False)


post_save.connect(notify_author, sender=Comment)
rows_changed.connect(notify_authors, sender=Comment)
