"""What waits in the queues, and what runs at the moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery import current_app
from kombu import Connection, Queue

from dovetail.tasks.queues import ANSWER, DEAD, connect

NOT_FOUND = "404"  # of AMQP, which took HTTP's numbers
TIMEOUT = 0.5  # seconds, in which workers answer


@dataclass(frozen=True)
class QueueStatus:
    """The state of a queue.

    Attributes:
        waiting: messages that no worker has taken yet.
        workers: that serve it; None if the broker does not tell.
    """

    name: str
    waiting: int
    workers: int | None


@dataclass(frozen=True)
class RunningTask:
    """A task that a worker runs, without its arguments, which may contain personal data."""

    task: str
    task_id: str
    worker: str
    since: datetime | None


def queues() -> list[QueueStatus]:
    """Return the state of each queue.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable.
    """
    app: Any = current_app
    with connect() as broker:
        return [_status(queue, broker) for queue in (*app.amqp.queues.values(), DEAD)]


def _status(queue: Queue, broker: Connection) -> QueueStatus:
    counts_workers = broker.transport.driver_type == "amqp"
    try:
        with broker.channel() as opened:  # which ends with the error
            channel: Any = opened
            _, waiting, workers = channel.queue_declare(queue.name, passive=True)
    except broker.channel_errors as error:
        if str(getattr(error, "reply_code", "")) != NOT_FOUND:
            raise
        waiting, workers = 0, 0  # no worker has created it yet; with Valkey, it has no messages
    return QueueStatus(queue.name, waiting, workers if counts_workers else None)


def running() -> list[RunningTask]:
    """Return the tasks that run, the longest first.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable.
    """
    app: Any = current_app
    with connect() as broker:
        if broker.transport.driver_type == "amqp":
            _send_to_nobody(broker)
        workers = app.control.inspect(timeout=TIMEOUT, connection=broker).active() or {}
    return sorted(_running(workers), key=lambda task: (task.since is None, task.since))


def _send_to_nobody(broker: Connection) -> None:
    """Have RabbitMQ confirm a message that reaches nobody, as it does not with a full disk.

    The question to the workers would wait there, and no answer would seem to be that nothing runs.
    """
    app: Any = current_app
    exchange = app.control.mailbox.reply_exchange(broker.default_channel)
    exchange.declare()
    broker.Producer(exchange=exchange).publish("", routing_key="nobody", confirm_timeout=ANSWER)


def _running(workers: dict[str, list[dict[str, Any]]]) -> Iterator[RunningTask]:
    for worker, tasks in workers.items():
        for task in tasks:
            start = task.get("time_start")
            since = datetime.fromtimestamp(start, UTC) if start else None
            yield RunningTask(task["name"], task["id"], worker, since)
