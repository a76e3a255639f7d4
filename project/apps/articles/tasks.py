from typing import Any

from celery import shared_task
from django.db import transaction

from apps.articles import importing
from apps.articles.models import ArticleImport, CommentNotification, ImportState
from dovetail.tasks import outbox

IDLE = 120  # seconds; a chunk takes less than one


@shared_task
def check_import(import_id: str) -> None:
    """Look at the rows of an uploaded file for a while, and call itself for the rest."""
    job = importing.begin_attempt(import_id, ImportState.CHECKING)
    if job and importing.check(job):
        outbox.delay(check_import, import_id)


@shared_task
def run_import(import_id: str) -> None:
    """Import articles for a while, and call itself for the rest."""
    job = importing.begin_attempt(import_id, ImportState.RUNNING)
    if job and importing.run(job):
        outbox.delay(run_import, import_id)


@shared_task
def resume_imports(idle: float = IDLE) -> None:
    """Go on with imports whose worker was killed, for brokers that deliver its message late.

    Without harm for one that is only slow, since the place in its file is compared. Those whose
    attempts are used up end.

    Args:
        idle: for how many seconds nothing must have been written.
    """
    rows = ArticleImport.objects.select_for_update(skip_locked=True)
    with transaction.atomic():
        # Not at once when a worker starts, because the last attempt may be at work.
        for job in rows.stalled(max(idle, IDLE)).filter(attempts__gte=importing.ATTEMPTS):
            importing.give_up(job)
        for job in rows.stalled(idle).filter(attempts__lt=importing.ATTEMPTS):
            task = check_import if job.state == ImportState.CHECKING else run_import
            outbox.delay(task, str(job.pk))
            job.save(update_fields=["updated_at"])


def resume_at_start(**_: Any) -> None:
    """Go on with all imports, as a receiver of Celery's `worker_ready`."""
    resume_imports.delay(idle=0)


@shared_task
def remove_old_imports() -> None:
    """Delete the files and figures of imports a week after their last change."""
    ArticleImport.objects.expired().delete()


@shared_task
def email_comment(notification_id: str) -> None:
    """Tell an author about a comment by mail, if it and they are still there."""
    rows: Any = CommentNotification.objects.select_related("comment__article", "comment__author")
    notification: CommentNotification | None = rows.filter(pk=notification_id).first()
    if notification:
        notification.send_email()


def queue_email(instance: CommentNotification, *, created: bool, raw: bool, **_: Any) -> None:
    """Queue the mail about a new notification, as the receiver of `post_save`."""
    if created and not raw:
        outbox.delay(email_comment, str(instance.pk))
