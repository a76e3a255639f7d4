"""Messages that no Celery has written, given to a real worker."""

from threading import Semaphore
from typing import Any

import pytest
from celery import current_app, shared_task
from celery.contrib.testing.worker import start_worker

from tests.queueing import queue_tasks

LIMIT = 60  # seconds; generous, for a busy machine

arrived = Semaphore(0)
CALL: list[Any] = [[], {}, {}]


@shared_task
def wait() -> None: ...


MALFORMED: list[tuple[Any, dict[str, Any]]] = [
    (CALL, {}),
    (CALL, {"id": None}),
    (CALL, {"id": 7}),
    (CALL, {"id": "1", "timelimit": "soon"}),
    (CALL, {"id": "2", "timelimit": [1]}),
    (CALL, {"id": "3", "timelimit": ["x", "y"]}),
    (CALL, {"id": "4", "expires": "never"}),
    (CALL, {"id": "5", "eta": "tomorrow"}),
    (CALL, {"id": "6", "retries": "many"}),
    (CALL, {"id": "7", "stamped_headers": 3}),
    (CALL, {"id": "8", "compression": "unknown"}),
    ({"id": 1}, {"id": "9"}),
    ("text", {"id": "10"}),
    ([], {"id": "11"}),
    ([1, 2, 3], {"id": "12"}),
    (None, {"id": "13"}),
]


@shared_task
def arrive() -> None:
    arrived.release()


def test_malformed_messages_do_not_stop_the_worker(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_tasks(monkeypatch, broker)
    app: Any = current_app
    monkeypatch.setitem(app.conf, "broker_read_url", broker)
    options: dict[str, Any] = {"pool": "threads", "concurrency": 2, "perform_ping_check": False}

    with start_worker(app, shutdown_timeout=LIMIT, **options), app.connection_for_write() as sender:
        for body, headers in MALFORMED:
            sender.Producer(serializer="json").publish(
                body,
                exchange="tasks",
                routing_key="default",
                headers={"task": wait.name, **headers},
            )
            arrive.delay()
            assert arrived.acquire(timeout=LIMIT), f"The worker stopped at {body!r}, {headers!r}"
