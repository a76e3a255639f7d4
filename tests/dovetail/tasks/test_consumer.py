"""Messages that no Celery has written, given to a real worker."""

from threading import Semaphore
from typing import Any

import pytest
from celery import current_app, shared_task
from celery.contrib.testing.worker import start_worker

from tests.dovetail.tasks.messages import (
    ABSENT,
    CALL,
    DEEP,
    GARBAGE,
    NO_DATE,
    NO_JSON,
    NO_UUID,
    known,
    send,
)
from tests.queueing import queue_tasks

LIMIT = 60  # seconds; generous, for a busy machine

arrived = Semaphore(0)


@shared_task
def arrive() -> None:
    arrived.release()


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
    (NO_UUID, {"id": "14"}),
    (NO_DATE, {"id": "15"}),
    (NO_JSON, {"id": "16"}),
    (GARBAGE, {"id": "17"}),
    (DEEP, {"id": "18"}),
    (CALL, {"task": {"a": 1}, "id": "19"}),
    (CALL, {"task": [1], "id": "20"}),
    (CALL, {"task": None}),
    (CALL, {"task": ABSENT}),
    ({"task": known.name}, {"task": ABSENT}),
    ({"task": {"a": 1}, "id": "21", "args": []}, {"task": ABSENT}),
    (NO_JSON, {"task": ABSENT}),
    (DEEP, {"task": ABSENT}),
    (CALL, {"task": "unknown"}),
    (CALL, {"task": "unknown", "id": {"a": 1}}),
    ("text", {"task": "unknown"}),
    (NO_JSON, {"task": "unknown"}),
    (GARBAGE, {"task": "unknown"}),
    (DEEP, {"task": "unknown"}),
]


def test_malformed_messages_do_not_stop_the_worker(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_tasks(monkeypatch, broker)
    app: Any = current_app
    monkeypatch.setitem(app.conf, "broker_read_url", broker)
    options: dict[str, Any] = {"pool": "threads", "concurrency": 2, "perform_ping_check": False}

    with start_worker(app, shutdown_timeout=LIMIT, **options), app.connection_for_write() as sender:
        for body, headers in MALFORMED:
            send(sender, body, headers)
            arrive.delay()
            said = str(body)[:50]
            assert arrived.acquire(timeout=LIMIT), f"The worker stopped at {said}, {headers!r}"
