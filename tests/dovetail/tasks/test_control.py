from typing import Any

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from dovetail.tasks.queues import connect
from tests.queueing import queue_tasks


def test_question_to_workers_is_given_up_as_a_task_is(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a page that waits for ever, since the broker went away while it asked."""
    app: Any = current_app
    queue_tasks(monkeypatch, broker)
    with connect() as connected:
        queue_tasks(monkeypatch, "redis://127.0.0.1:9/0")
        with pytest.raises(OperationalError):
            app.control.inspect(timeout=0.1, connection=connected).active()
