"""How a worker takes messages: one that is malformed is refused, and does not stop the worker.

Own code because Celery expects every message to come from Celery. Whoever writes one by hand
forgets an id, and a KeyError ends the worker, which meets the message again after its restart.
"""

from collections.abc import Callable
from typing import Any

import kombu
from celery.utils.log import get_logger
from celery.worker import consumer
from kombu import Message
from kombu.exceptions import KombuError

from dovetail.tasks import heartbeat
from dovetail.tasks.control import UNCONFIRMED

# What the content of a message causes. Others, such as the loss of a connection, are for Celery.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    KombuError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

logger = get_logger(__name__)


class Consumer(consumer.Consumer):
    """Celery's, for messages from anyone.

    It refuses what it cannot handle: RabbitMQ keeps that as a dead letter, Valkey drops it.
    """

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], Any]:
        handle = super().create_task_handler(*args, **options)

        def handle_carefully(message: Message) -> Any:
            try:
                return handle(message)
            except MALFORMED as error:
                if message.acknowledged:  # it has been refused, and only the rest has failed
                    logger.exception("A message was refused, but not all of it is recorded")
                    return None
                return self.on_invalid_task(None, message, error)

        return handle_carefully

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse a message that cannot be unpacked. Celery acknowledges it, so that it is gone."""
        if is_kept(message):
            self.on_invalid_task(None, message, exc)
        else:
            super().on_decode_error(message, exc)

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        hub.on_tick.add(heartbeat.beat)  # at least each ten seconds

    def ensure_connected(self, conn: Any) -> kombu.Connection:
        """Beat each second while the broker is away: a restart would not bring it back."""
        connect = conn.ensure_connection

        def ensure_connection(*args: Any, callback: Callable[[], None], **options: Any) -> Any:
            def beat() -> None:
                heartbeat.beat()
                callback()

            return connect(*args, callback=beat, **options)

        conn.ensure_connection = ensure_connection
        heartbeat.beat()
        connected: kombu.Connection = super().ensure_connected(conn)
        return connected

    # A RabbitMQ whose memory or disk is full confirms nothing. The worker would wait for its
    # heartbeats to be confirmed, and meanwhile neither take messages nor acknowledge them.

    def connection_for_read(self, heartbeat: Any = None) -> kombu.Connection:
        return self._connected(self.app.connection_for_read, heartbeat=heartbeat)

    def connection_for_write(self, url: Any = None, heartbeat: Any = None) -> kombu.Connection:
        return self._connected(self.app.connection_for_write, url=url, heartbeat=heartbeat)

    def _connected(self, make: Callable[..., kombu.Connection], **options: Any) -> kombu.Connection:
        return self.ensure_connected(make(transport_options=UNCONFIRMED, **options))


def is_kept(message: Message) -> bool:
    """Return whether the broker keeps a message until it is acknowledged, as it does tasks."""
    consumer_tag = (message.delivery_info or {}).get("consumer_tag")
    channel: Any = message.channel
    return consumer_tag not in (channel.no_ack_consumers or ())
