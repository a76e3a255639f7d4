"""Messages that no Celery has written."""

from dataclasses import dataclass
from typing import Any

from celery import shared_task
from kombu import Connection

ABSENT = object()  # for a header
CALL: list[Any] = [[], {}, {}]


@dataclass(frozen=True)
class Raw:
    """A body that no serializer has made."""

    data: str | bytes


DEEP = Raw("[" * 100_000 + "]" * 100_000)
GARBAGE = Raw(b"\xff\0")
NO_JSON = Raw("{{{{")
NO_DATE = [[{"__type__": "datetime", "__value__": "never"}], {}, {}]
NO_UUID = [[{"__type__": "uuid", "__value__": "never"}], {}, {}]


@shared_task
def known() -> None: ...


def send(sender: Connection, body: Any, headers: dict[str, Any]) -> None:
    """Send a message for a task that the worker knows, unless the headers say otherwise."""
    raw: dict[str, Any] = {"content_type": "application/json", "content_encoding": "utf-8"}
    headers = {"task": known.name} | headers
    sender.Producer(serializer="json").publish(
        body.data if isinstance(body, Raw) else body,
        exchange="tasks",
        routing_key="default",
        headers={name: value for name, value in headers.items() if value is not ABSENT},
        **(raw if isinstance(body, Raw) else {}),
    )
