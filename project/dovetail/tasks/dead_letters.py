"""Turns dead letters into records of failures, so that all that failed is in one list."""

import logging
from hashlib import sha256
from typing import Any

from celery import shared_task
from kombu import Message
from kombu.exceptions import OperationalError
from kombu.serialization import dumps

from dovetail.storable import storable
from dovetail.tasks.models import TaskFailure, shorten_id
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
        django.db.OperationalError: the database is unavailable; nothing was taken.
    """
    count = 0
    # First, because RabbitMQ drops what has been taken and given back twenty times.
    TaskFailure.objects.exists()
    with connect() as broker, broker.channel() as channel:
        DEAD(channel).declare()
        while count < MOST and (message := _take(channel)):
            record(message)
            message.ack()
            count += 1
    return count


def _take(channel: Any) -> Message | None:
    """Return the next dead letter.

    Not `Queue.get`, which raises for one that cannot be unpacked, and would do so for ever.
    """
    raw = channel.basic_get(DEAD.name)
    message: Message | None = channel.message_to_python(raw) if raw else None
    if message:
        message.accept = {"application/json"}
    return message


def record(message: Message) -> None:
    """Record a dead letter once, even if this process is killed before it is acknowledged."""
    headers: dict[str, Any] = message.headers if isinstance(message.headers, dict) else {}
    deaths = _deaths(headers)
    failure = TaskFailure(
        task=_text(headers.get("task") or "unknown"),
        task_id=shorten_id(str(headers.get("id") or "")),
        arguments=_arguments(message),
        error=_text(_reason(deaths)),
    )
    # An id alone does not tell calls apart: messages that someone has made by hand have none, and a
    # call that was retried dies again with the same. As a hash, since a long key would be cut.
    times = [str(death.get("time")) for death in deaths]
    letter = repr((message.body, headers.get("task"), headers.get("id"), times))
    with once(f"dead {sha256(letter.encode()).hexdigest()}") as is_first:
        if is_first:
            failure.keep()


def _arguments(message: Message) -> str:
    """Return the arguments of a call as they are kept, empty if the message is none."""
    try:
        args, kwargs, _ = message.decode()
        _, _, arguments = dumps((list(args), dict(kwargs)), serializer="json")
    except Exception:  # noqa: BLE001 - whatever someone has sent
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
    return (
        [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else []
    )


def _text(value: object) -> str:
    return str(storable(str(value)))[:255]
