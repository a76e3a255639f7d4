"""Records what fails in the background, where no one sees it."""

import logging
from typing import Any

from celery import Task, shared_task
from django.db import Error, transaction
from kombu.exceptions import EncodeError

from dovetail.tasks import outbox
from dovetail.tasks.models import OutboxEntry, TaskFailure

logger = logging.getLogger(__name__)


def record(
    *,
    sender: Task[Any, Any],
    task_id: str,
    exception: BaseException,
    args: Any,
    kwargs: Any,
    einfo: Any,
    **_: Any,
) -> None:
    """Keep the failure of a task, as a receiver of Celery's `task_failure`."""
    call = args or (), kwargs or {}
    try:
        TaskFailure.of(sender.name, task_id, call, exception, str(einfo)).save(force_insert=True)
    except (Error, EncodeError):  # Celery has logged the failure itself
        logger.exception("The failure of %s cannot be recorded", sender.name)


def retry(failure: TaskFailure) -> None:
    """Call the task again, with the arguments it had, and forget the failure."""
    with transaction.atomic():
        deleted, _ = TaskFailure.objects.filter(pk=failure.pk).delete()
        if deleted:  # and not retried by another person meanwhile
            outbox.put(OutboxEntry(task=failure.task, arguments=failure.arguments))


@shared_task(ignore_result=True)
def remove_old_failures() -> None:
    """Delete the records of failures from more than a month ago."""
    TaskFailure.objects.expired().delete()
