"""What is measured, whichever way it is published.

| Name | Labels |
|---|---|
| `http.server.request.duration`, in seconds | `http.request.method`, `http.route`, `http.response.status_code` |
| `cache.lookups` | `result`: `hit` or `miss` |
| `db.client.connection.count`: of a process, by what they do | `state`: `used` or `idle` |
| `websocket.connections` | |
| `tasks.waiting`: messages in a queue | `queue` |

On the page for Prometheus, the names have `_` for `.`, and its own endings.
"""  # noqa: E501 - a table

import logging
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import psycopg
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

from dovetail.cable.hub import Hub
from dovetail.tasks.status import queues

logger = logging.getLogger(__name__)

# In seconds, as OpenTelemetry recommends for this histogram.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Labelled = dict[str, float]

# The keys only; a WeakSet cannot be walked while other threads open connections.
_connections: weakref.WeakKeyDictionary[psycopg.Connection[Any], None] = weakref.WeakKeyDictionary()


class Sink(Protocol):
    """A way to publish measurements."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None: ...

    def lookups(self, hits: int, misses: int) -> None: ...


sinks: list[Sink] = []


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request. All arguments but the last are of a bounded number."""
    for sink in sinks:
        sink.request(method, route, status, seconds)


def lookups(hits: int, misses: int) -> None:
    """Count values that were asked of a cache."""
    for sink in sinks:
        sink.lookups(hits, misses)


def watch_connections() -> None:
    """Count connections to the database from now on, with and without a pool."""
    connection_created.connect(_on_connection, dispatch_uid="dovetail.telemetry")


def _on_connection(connection: Any, **_: Any) -> None:
    _connections[connection.connection] = None


def connections() -> Labelled:
    """Return the connections of this process to the database, by whether they are in use."""
    found = {"used": 0.0, "idle": 0.0}
    for reference in _connections.keyrefs():
        if (connection := reference()) is not None and not connection.closed:
            is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
            found["idle" if is_idle else "used"] += 1
    return found


def sockets() -> Labelled:
    """Return the number of open WebSockets of this process."""
    return {"": float(Hub.count_sockets())}


def waiting() -> Labelled:
    """Return the messages that wait, by queue; nothing while the broker is unavailable."""
    try:
        return {queue.name: float(queue.waiting) for queue in queues()}
    except Exception as error:  # noqa: BLE001 - each broker's client raises its own
        logger.warning("Could not count the messages in the queues: %s", error)
        return {}


# By name: the label, "" if there is none, and what measures it. Of this process.
GAUGES: dict[str, tuple[str, Callable[[], Labelled]]] = {
    "db.client.connection.count": ("state", connections),
    "websocket.connections": ("", sockets),
}
# Of the whole site, so that one process of a machine is enough.
SHARED_GAUGES: dict[str, tuple[str, Callable[[], Labelled]]] = {
    "tasks.waiting": ("queue", waiting),
}


def labelled(label: str, values: Labelled) -> Iterator[tuple[float, dict[str, str]]]:
    """Yield each value with its labels."""
    for text, value in values.items():
        yield value, {label: text} if label else {}
