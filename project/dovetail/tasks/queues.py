"""The queues of tasks, and where the messages go that no worker can handle.

Each queue has a name for its routing key, on one topic exchange. On RabbitMQ, they are quorum
queues: a message that has killed several workers, or names a task that no worker knows, moves to
the queue "dead", where it can be looked at and sent again. Other brokers ignore that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from kombu import Connection, Exchange, Queue

TASKS = Exchange("tasks", type="topic")
DEAD_LETTERS = Exchange("dead", type="topic")
DEAD = Queue("dead", DEAD_LETTERS, routing_key="#", queue_arguments={"x-queue-type": "quorum"})


def queue(name: str, *, delivery_limit: int = 5) -> Queue:
    """Return a queue for `CELERY_TASK_QUEUES`.

    Args:
        name: of the queue, and its routing key.
        delivery_limit: how often a message is delivered again, after workers that had it were
            killed, before it is a dead letter. RabbitMQ refuses another value for a queue that
            exists: give it another name.
    """
    return Queue(
        name,
        TASKS,
        routing_key=name,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": delivery_limit,
            "x-dead-letter-exchange": DEAD_LETTERS.name,
            # A dead letter is confirmed before it leaves its queue. That needs the second option.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def declare_dead_letters(**_: Any) -> None:
    """Create the queue of dead letters, as a receiver of `worker_ready`."""
    with connect() as broker, broker.channel() as channel:
        DEAD(channel).declare()


@contextmanager
def connect() -> Iterator[Connection]:
    """Yield a connection to the broker.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable.
    """
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1)  # kombu would try for ever
        yield broker
