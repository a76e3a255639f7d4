from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.articles import importing
from apps.articles.models import ArticleImport, CommentNotification, ImportState
from apps.articles.models.imports import GOING
from dovetail.tasks import outbox

IDLE = 120  # seconds without a chunk, which takes less than one: its worker was killed
LOST = 900  # seconds in the queue, after which the message is sent again


@shared_task
def check_import(import_id: str, call: int = 0) -> None:
    """Look at the rows of an uploaded file for a while, and call itself for the rest.

    Args:
        import_id: its primary key.
        call: the number of this message; messages of the version before have none.
    """
    _go_on(import_id, ImportState.CHECKING, call, importing.check)


@shared_task
def run_import(import_id: str, call: int = 0) -> None:
    """Import articles for a while, and call itself for the rest.

    Args:
        import_id: its primary key.
        call: the number of this message; messages of the version before have none.
    """
    _go_on(import_id, ImportState.RUNNING, call, importing.run)


def _go_on(
    import_id: str, state: ImportState, call: int, work: Callable[[ArticleImport], bool]
) -> None:
    job = importing.begin_attempt(import_id, state, call)
    if job and work(job):
        call_again(job)


def call_task(job: ArticleImport) -> None:
    """Have a task go on with an import, in place of all that were called before.

    In a transaction that has locked or made its row.
    """
    job.call += 1
    job.waits = True
    job.save(update_fields=["call", "waits", "updated_at"])
    _send(job)


def call_again(job: ArticleImport) -> None:
    """Call the next task, unless another call has taken the place of this one."""
    rows = ArticleImport.objects.select_for_update()
    with transaction.atomic():
        current = rows.filter(pk=job.pk, state=job.state, call=job.call).first()
        if current:
            call_task(current)


def _send(job: ArticleImport) -> None:
    task = check_import if job.state == ImportState.CHECKING else run_import
    outbox.delay(task, str(job.pk), job.call)


@shared_task
def resume_imports(idle: float = IDLE) -> None:
    """Go on with imports whose worker was killed, for brokers that deliver its message late.

    Not with those that wait in the queue for their turn: a second message would make it longer.
    Those whose attempts are used up end.

    Args:
        idle: for how many seconds one that got on must have been silent. One that did not get on
            waits longer after each attempt.
    """
    rows = ArticleImport.objects.select_for_update(skip_locked=True).order_by("updated_at")
    with transaction.atomic():
        for job in rows.stalled(IDLE).filter(attempts__gte=importing.ATTEMPTS):
            importing.give_up(job)
        for job in rows.filter(_due(idle), waits=False, state__in=GOING):
            call_task(job)
        # The broker has lost it, or the queue is that long. With the same number, so that it
        # keeps its place; the first of the two messages makes the other one void.
        for job in rows.stalled(LOST).filter(waits=True):
            job.save(update_fields=["updated_at"])
            _send(job)


def _due(idle: float) -> Q:
    """Return which imports at work need another attempt.

    They begin 2, 6, 12 and 20 minutes after the first, so that a storage that is away for ten
    minutes ends no import, and a start of several workers does not use them up.
    """
    now = timezone.now()
    due = Q(attempts=0, updated_at__lte=now - timedelta(seconds=idle))
    for made in range(1, importing.ATTEMPTS):
        due |= Q(attempts=made, updated_at__lte=now - made * timedelta(seconds=IDLE))
    return due


def resume_at_start(**_: Any) -> None:
    """Go on at once with all imports that got on, as a receiver of Celery's `worker_ready`."""
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
