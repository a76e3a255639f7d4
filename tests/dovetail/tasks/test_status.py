from typing import Any

import pytest
from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from dovetail.tasks import status
from dovetail.tasks.status import QueueStatus, queues, running
from tests.queueing import queue_tasks

WORKERS = {
    "celery@a": [{"name": "late", "id": "2", "time_start": 20.5, "args": ["secret"]}],
    "celery@b": [
        {"name": "early", "id": "1", "time_start": 10.5},
        {"name": "received", "id": "3", "time_start": None},
        {"name": "received", "id": "4", "time_start": None},
    ],
    "celery@c": [],
}


@shared_task
def wait() -> None: ...


def test_queues_tell_how_much_waits(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_tasks(monkeypatch, broker)
    for _ in range(3):
        wait.apply_async(queue="bulk")

    assert queues() == [
        QueueStatus("default", 0, None),
        QueueStatus("mail", 0, None),
        QueueStatus("bulk", 3, None),
        QueueStatus("dead", 0, None),
    ]


def test_nothing_runs_without_workers(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_tasks(monkeypatch, broker)

    assert running() == []


def test_running_tasks_are_sorted_and_show_no_arguments(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_tasks(monkeypatch, broker)
    app: Any = current_app
    monkeypatch.setattr(app.control.inspect, "active", lambda _: WORKERS)

    assert [task.task_id for task in running()] == ["1", "2", "3", "4"]
    assert "secret" not in str(running())


@pytest.mark.parametrize("ask", [queues, running])
def test_unavailable_broker_is_an_error_soon(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a page that waits for ever."""
    queue_tasks(monkeypatch, "redis://127.0.0.1:9/0")

    with pytest.raises(OperationalError):
        ask()


def test_workers_have_little_time() -> None:
    assert status.TIMEOUT < 1
