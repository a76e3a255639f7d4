"""The queues of tasks, and where the messages go that no worker can handle.

Each queue has a name for its routing key, on one topic exchange. On RabbitMQ, they are quorum
queues: a message that has killed several workers, or names a task that no worker knows, moves to
the queue "dead", where it can be looked at and sent again. Other brokers ignore that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AMQPError, FrameSyntaxError, MessageNacked, PreconditionFailed
from celery import current_app
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

TASKS = Exchange("tasks", type="topic")
DEAD_LETTERS = Exchange("dead", type="topic")
DEAD = Queue("dead", DEAD_LETTERS, routing_key="#", queue_arguments={"x-queue-type": "quorum"})

# kombu has no word of its own for a RabbitMQ that refuses a login, a right or a queue, nor for a
# Valkey that refuses to write, as when it is full. A person can mend all of it.
UNAVAILABLE = (OperationalError, AMQPError, MessageNacked, RedisError)
ANSWER = 5  # seconds that RabbitMQ has for an answer


def is_unavailable(error: Exception) -> bool:
    """Return whether an error is the broker's, and would meet any other message now as well.

    What it, or its client, says of one message, as that it is too large, is not.
    """
    if isinstance(error, PreconditionFailed) and error.method_name == "Basic.publish":
        return False
    return isinstance(error, UNAVAILABLE) and not isinstance(error, FrameSyntaxError)


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


def transport_options(url: str) -> dict[str, object]:
    """Return `CELERY_BROKER_TRANSPORT_OPTIONS` for a broker.

    Without limits, in seconds, a server that accepts connections and never answers would hold up
    requests. A worker that waits for messages asks for a second or two at a time.
    """
    if url.startswith("amqp"):
        return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
    return {"socket_timeout": 3, "socket_connect_timeout": 2}


def declare_dead_letters(**_: Any) -> None:
    """Create the queue of dead letters, as a receiver of `worker_ready`."""
    with connect() as broker, broker.channel() as channel:
        DEAD(channel).declare()


@contextmanager
def connect() -> Iterator[Connection]:
    """Yield a connection to the broker, on which each answer takes seconds at most.

    Raises:
        kombu.exceptions.OperationalError: the broker is unavailable, or refuses what it is asked.
    """
    with current_app.connection_for_write() as broker:
        try:
            broker.ensure_connection(max_retries=1)  # kombu would try for ever
            with _limited(broker):
                yield broker
        except (*broker.connection_errors, *broker.channel_errors) as error:
            broker.collect()  # to close it politely, it would wait for answers again
            raise OperationalError(f"{type(error).__name__}: {error}") from error


@contextmanager
def _limited(broker: Connection) -> Iterator[None]:
    """Limit how long a RabbitMQ may take for an answer. Valkey's client has a limit of its own.

    The option `read_timeout` does not: amqp reads on after it, unless an event loop waits.
    """
    if broker.transport.driver_type != "amqp":
        yield
        return
    connection: Any = broker.connection
    with connection.transport.having_timeout(ANSWER):
        yield
