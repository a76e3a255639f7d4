"""Remote control of workers, with a limit on how long anything waits.

Own code because Celery sends them as it sends tasks: each waits until RabbitMQ confirms it, which
it does not while its memory or disk is full, and would be sent again for ever.
"""

from typing import Any

import kombu
from celery import current_app
from celery.app import control
from celery.utils.functional import lazy
from kombu.pools import PoolGroup, ProducerPool, connections, register_group

UNCONFIRMED = {"confirm_publish": False}  # options of a connection


class Producer(kombu.Producer):
    """Gives up when one of tasks does."""

    def publish(self, *args: Any, **options: Any) -> Any:
        policy = current_app.conf.task_publish_retry_policy
        return super().publish(*args, **{"retry_policy": policy} | options)


class Producers(PoolGroup):
    """The pools of producers for remote control, by their connection."""

    def create(self, connection: kombu.Connection, limit: int | None) -> ProducerPool:
        return ProducerPool(connections[connection], limit=limit, Producer=Producer)


producers = register_group(Producers(limit=10))  # as Celery's for tasks


class Control(control.Control):
    def __init__(self, app: Any = None) -> None:
        super().__init__(app)
        mailbox: Any = self.mailbox  # type: ignore[attr-defined] # unknown to its stubs
        mailbox._producer_pool = lazy(  # noqa: SLF001 - where the constructor has put Celery's
            lambda: producers[self.app.connection_for_write(transport_options=UNCONFIRMED)]
        )
