from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.signals import post_save
from django.utils import timezone
from django.utils.text import Truncator

from apps.articles.models.comment import Comment
from apps.users import mail
from apps.users.models import Notification, User
from dovetail.lines import as_line
from dovetail.mail import topics
from dovetail.mail.topics import Topic
from dovetail.models.signals import rows_changed

EMAIL = "articles/email/new_comment"
EXCERPT = 500  # characters
QUIET = timedelta(hours=1)  # between two mails about one article, at least
COMMENTS = Topic(
    "comments",
    label="Comments on your articles",
    reason="You get this email because someone commented on your article.",
    description="One email for each article; the next comes after you have marked your "
    "notifications as read.",
)
topics.register(COMMENTS)


class CommentNotification(Notification):
    """Tells an author about a comment on their article.

    It is deleted and restored with the comment.

    Attributes:
        emailed_at: when it was also sent by mail.
    """

    emailed_at = models.DateTimeField(null=True, editable=False)
    comment = models.OneToOneField(Comment, on_delete=models.CASCADE, related_name="notification")

    details = ("comment__author", "comment__article")

    def __str__(self) -> str:
        return f"{self.comment.author} commented on “{self.comment.article}”"

    def send_email(self) -> None:
        """Tell the author by mail, too, unless they have read it, or need not be told again.

        There is one mail for each article until they have read the notification that it was about,
        however many comments follow, and at most one an hour.
        """
        with transaction.atomic():
            # One after the other, or two comments at the same time would send two.
            people = User.objects.select_for_update(no_key=True)
            recipient = people.filter(pk=self.recipient_id).first()
            if recipient is None or self.read_at or self._is_covered():
                return
            if mail.send_optional(COMMENTS, EMAIL, recipient, email_context(self.comment)):
                self.emailed_at = timezone.now()
                # No page shows it, so none is refreshed.
                rows = type(self)._base_manager.filter(pk=self.pk)
                rows.update(emailed_at=self.emailed_at)

    def _is_covered(self) -> bool:
        """Return whether a mail about this article has been sent that is enough."""
        others = CommentNotification.all_objects.filter(
            recipient=self.recipient_id, comment__article=self.comment.article_id
        )
        unread = Q(emailed_at__isnull=False, read_at=None, deleted_at=None)
        recent = Q(emailed_at__gt=timezone.now() - QUIET)
        return others.filter(unread | recent).exists()


def email_context(comment: Comment) -> dict[str, Any]:
    """Return what the templates of the mail about a comment need."""
    excerpt = Truncator(comment.body).chars(EXCERPT)
    return {
        "author": as_line(str(comment.author)),
        "title": as_line(comment.article.title),
        "excerpt": excerpt,
        "quote": "\n".join(f"> {line}" for line in excerpt.splitlines()),
        "article_url": settings.SITE_URL + comment.article.get_absolute_url(),
    }


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
