"""Ends the deliveries of a message that kills workers, on a broker without a limit of its own.

RabbitMQ counts how often it delivers a message. Valkey does not, so that a task for which the
memory is too small would be run again at once, for ever. Here, what is delivered again is counted
when it starts, and no more once it has ended; what starts too often is recorded as a failure. It
counts in the database, which has the failures, and costs what is delivered once nothing.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

from billiard.exceptions import WorkerLostError
from celery import current_app
from celery.exceptions import InvalidTaskError
from celery.worker import request
from celery.worker.state import task_ready
from django.db import Error, connection, transaction
from kombu.serialization import dumps
from kombu.transport import virtual

from dovetail.tasks.models import Done, DoneQuerySet, TaskFailure

LONGEST = 10**9  # seconds that a task may take; more is no time that a clock can be set to
ELSEWHERE = 20  # deliveries after the first, for a queue that does not say; as RabbitMQ does

logger = logging.getLogger(__name__)


class Request(request.Request):
    """A message that a worker has taken, as `Task.Request`."""

    _is_counted = False

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take a message.

        Raises:
            InvalidTaskError: a part of it would fail only in the pool, where it has taken up a
                place, or end the worker.
        """
        super().__init__(*args, **options)
        limits, stamps = self.time_limits, self.request_dict.get("stamps") or {}
        if not _are_limits(limits):
            raise InvalidTaskError(f"the limits of its time are {type(limits).__name__}")
        names: Any = self.stamped_headers or []
        is_list = isinstance(names, list | tuple) and all(isinstance(one, str) for one in names)
        if not is_list or not isinstance(stamps, dict):
            raise InvalidTaskError("its stamps are malformed")

    def revoked(self) -> bool:
        """Return whether the task is not to be run, which Celery asks before it does."""
        return bool(super().revoked()) or (self._is_again and self._give_up())

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        # Not before: a message that waits in a worker that is killed has not killed it.
        self._count()
        super().on_accepted(pid, time_accepted)

    def acknowledge(self) -> None:
        super().acknowledge()
        self._forget()

    def reject(self, requeue: bool = False) -> None:
        if requeue and not self.acknowledged:
            self._count()  # its process may have died before it said that it had started
        super().reject(requeue)
        if not requeue:
            self._forget()

    @property
    def _is_again(self) -> bool:
        """Return whether it was delivered before, by a broker that does not count."""
        return bool(self.delivery_info["redelivered"]) and isinstance(
            self.message.channel, virtual.Channel
        )

    def _count(self) -> None:
        if self._is_again and not self._is_counted:
            self._is_counted = True
            with _logged(self, "counted"):
                count(self.id)

    def _forget(self) -> None:
        if self._is_counted:
            self._is_counted = False
            with _logged(self, "forgotten"):
                counted(self.id).delete()

    def _give_up(self) -> bool:
        """Record it as a failure if it was delivered too often, and return whether it was.

        Without the database it is run: what cannot be recorded must not be acknowledged.
        """
        is_over = False
        with _logged(self, "looked up"):
            if counted(self.id).count() >= self._limit:
                self._record()
                is_over = True
        if is_over:
            logger.error("%s[%s] is not run again: it killed its workers", self.name, self.id)
            task_ready(self)
            self.acknowledge()
        return is_over

    @property
    def _limit(self) -> int:
        queues: dict[Any, Any] = current_app.amqp.queues
        queue = queues.get(self.delivery_info["routing_key"])
        arguments = (queue and queue.queue_arguments) or {}
        return int(arguments.get("x-delivery-limit", ELSEWHERE))

    def _record(self) -> None:
        call = str(dumps((self.args, self.kwargs), serializer="json")[2])
        queue = self.delivery_info["routing_key"]
        error = WorkerLostError(f"each worker that had it was killed (queue {queue})")
        with transaction.atomic():
            TaskFailure.of(self.task.name, self.id, call, error, "").keep()
            counted(self.id).delete()  # whoever retries it uses the same id


def _are_limits(value: Any) -> bool:
    """Return whether these are two limits of time in seconds, or None for no limit."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2  # noqa: PLR2004 - the limit, and the one that it is told of
        and all(one is None or _is_limit(one) for one in value)
    )


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= LONGEST


def count(task_id: str) -> None:
    """Record that a message that was delivered again has started."""
    Done.objects.create(key=f"{_prefix(task_id)}{uuid4()}")


def counted(task_id: str) -> DoneQuerySet:
    """Return the records of a message's starts, of which it has not ended one."""
    return Done.objects.filter(key__startswith=_prefix(task_id))


def _prefix(task_id: str) -> str:
    return f"delivery {sha256(repr(task_id).encode()).hexdigest()} "


@contextmanager
def _logged(delivered: Request, what: str) -> Iterator[None]:
    """Log an error of the database, and leave it no connection that is of no use any more.

    Celery's main process has no task after which Django would close it.
    """
    try:
        yield
    except Error:
        logger.exception(
            "The deliveries of %s[%s] cannot be %s: the database is unavailable",
            delivered.name,
            delivered.id,
            what,
        )
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
