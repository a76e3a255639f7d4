"""Turns dead letters into records of failures, so that all that failed is in one list."""

import logging
from typing import Any

from celery import shared_task
from kombu import Message
from kombu.exceptions import KombuError, OperationalError
from kombu.serialization import dumps

from dovetail.tasks.models import TaskFailure
from dovetail.tasks.once import once
from dovetail.tasks.queues import DEAD, connect

MOST = 1000  # messages in one run; the next is a minute later

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def collect_dead_letters() -> None:
    """Record what is in the queue of dead letters."""
    try:
        collect()
    except OperationalError as error:
        logger.warning("The broker is unavailable; dead letters stay there: %s", error)


def collect() -> int:
    """Record the dead letters, and return how many there were.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable.
    """
    count = 0
    with connect() as broker, broker.channel() as channel:
        queue = DEAD(channel)
        queue.declare()
        while count < MOST and (message := queue.get(accept=["json"])):
            record(message)
            message.ack()
            count += 1
    return count


def record(message: Message) -> None:
    """Record a dead letter once, even if this process is killed before it is acknowledged."""
    headers: dict[str, Any] = message.headers or {}
    deaths = _deaths(headers)
    failure = TaskFailure(
        task=_text(headers.get("task") or "unknown"),
        task_id=_text(headers.get("id") or ""),
        arguments=_arguments(message),
        error=_reason(deaths),
    )
    times = [str(death.get("time")) for death in deaths]
    with once(_text(f"dead {failure.task_id} {times}")) as is_first:
        if is_first:
            failure.save(force_insert=True)


def _arguments(message: Message) -> str:
    """Return the arguments of a call as they are kept, empty if the message is none."""
    try:
        args, kwargs, _ = message.decode()
        _, _, arguments = dumps((list(args), dict(kwargs)), serializer="json")
    except (KombuError, TypeError, ValueError):
        return ""
    return str(arguments)


def _reason(deaths: list[dict[str, Any]]) -> str:
    if not deaths:
        return "Dead letter"
    reason, queue = deaths[0].get("reason"), deaths[0].get("queue")
    if reason == "delivery_limit":
        return f"Dead letter: each worker that had it was killed (queue {queue})"
    return f"Dead letter: {reason} by a worker (queue {queue})"


def _deaths(headers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what RabbitMQ noted about each queue that the message has left this way."""
    deaths = headers.get("x-death")
    return [death for death in deaths if isinstance(death, dict)] if deaths else []


def _text(value: object) -> str:
    return str(value).replace("\0", "")[:255]
