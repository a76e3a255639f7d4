"""Records what fails in the background, where no one sees it."""

import logging
from typing import Any

from celery import Task, shared_task
from django.db import Error, connection, transaction
from kombu.exceptions import EncodeError
from kombu.serialization import dumps

from dovetail.tasks import outbox
from dovetail.tasks.models import TaskFailure, TaskFailureQuerySet

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
    try:
        call = str(dumps((args or (), kwargs or {}), serializer="json")[2])
        TaskFailure.of(sender.name, task_id, call, exception, str(einfo)).keep()
    except (Error, EncodeError):  # Celery has logged the failure itself
        logger.exception("The failure of %s cannot be recorded", sender.name)
    finally:
        # The main process of a worker, which records what was killed, has no task after which
        # Django closes a connection that is of no use any more.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def retry(failures: TaskFailureQuerySet) -> int:
    """Call the tasks again, with the arguments they had, and forget their failures.

    Args:
        failures: those of which the arguments are unknown stay.

    Returns:
        How many are called again. Another person may have retried some of them meanwhile.
    """
    with transaction.atomic():
        retried = list(failures.retryable().select_for_update().order_by("pk"))
        TaskFailure.objects.filter(pk__in=[failure.pk for failure in retried]).delete()
        for failure in retried:
            outbox.put(failure.as_entry())
    return len(retried)


@shared_task(ignore_result=True)
def remove_old_failures() -> None:
    """Delete the records of failures from more than a month ago."""
    TaskFailure.objects.expired().delete()
