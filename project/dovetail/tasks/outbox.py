"""Calls of tasks that survive a broker which is down when a transaction commits.

`task.delay_on_commit()` loses the call then. What someone was promised goes through the outbox
instead: the call is a row that commits together with what it belongs to.

    with transaction.atomic():
        order = Order.objects.create(...)
        outbox.delay(send_receipt, str(order.pk))

After the commit, a task sends the rows to the broker in order. It also runs every minute and when a
worker starts, for what had to wait. A call arrives at least once: if a process is killed between
sending a row and deleting it, the row is sent again, with the same task id.

Own code because the packages for this bring a stack for logs and monitoring along, or speak STOMP.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from dovetail.database.commit import SEND, on_commit_together
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.queues import UNAVAILABLE, is_unavailable

BATCH = 100  # rows that may be sent again if the process is killed
LOCK = 0x6F757462  # "outb"; of PostgreSQL's advisory locks in this database

logger = logging.getLogger(__name__)


def delay(task: Task[Any, Any], *args: Any, **kwargs: Any) -> None:
    """Call a task after the current transaction commits, even if the broker is down by then.

    Args:
        task: runs at least once, and not at all if the transaction is rolled back.
        args: the task's arguments, as for `task.delay()`.
        kwargs: likewise.

    Raises:
        kombu.exceptions.EncodeError: an argument cannot be sent as JSON.
    """
    put(OutboxEntry.of(task.name, args, kwargs))


def put(entry: OutboxEntry) -> None:
    """Save an entry, to be sent after the current transaction commits."""
    entry.save(force_insert=True)
    on_commit_together(wake, [None], order=SEND)


def drain() -> int:
    """Send everything that waits, in order, and return how many calls no longer wait.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable; the rest waits on.
        amqp.exceptions.AMQPError: it refuses the login, a right or a queue; likewise.
        amqp.exceptions.MessageNacked: it cannot keep messages; likewise.
        redis.exceptions.RedisError: it refuses to write; likewise.
    """
    total = 0
    while done := _send_batch():
        total += done
    return total


@shared_task(ignore_result=True)
def drain_outbox() -> None:
    """Send what waits in the outbox."""
    with _logged_if_unavailable():
        drain()


def wake(*_: Any, **__: Any) -> None:
    """Have a worker send what waits: after a commit, and as the receiver of `worker_ready`."""
    with _logged_if_unavailable():
        drain_outbox.delay()


@contextmanager
def _logged_if_unavailable() -> Iterator[None]:
    try:
        yield
    except UNAVAILABLE as error:
        logger.warning("The broker is unavailable; calls wait in the outbox: %r", error)


def _send_batch() -> int:
    """Send the first entries, and return how many were sent or have failed for good."""
    failure: Exception | None = None
    with transaction.atomic():
        with connection.cursor() as cursor:
            # By one process at a time, for the order. Whoever comes second looks again, because the
            # first may have read its last batch before the newest entry was committed.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        done = []
        for entry in OutboxEntry.objects.all()[:BATCH]:
            try:
                entry.send()
            except SoftTimeLimitExceeded:
                raise  # it says nothing about the entry
            except Exception as error:
                if is_unavailable(error):
                    failure = error
                    break
                logger.exception("%s cannot be sent, and is kept as a failure", entry)
                call = entry.task, str(entry.task_id), entry.arguments
                TaskFailure.of(*call, error, traceback.format_exc()).keep()
            done.append(entry.pk)
        OutboxEntry.objects.filter(pk__in=done).delete()
    if failure:
        raise failure
    return len(done)
