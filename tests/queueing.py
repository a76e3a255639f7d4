"""Queues tasks in a test, where the test settings run them at once."""

from typing import Any

import kombu.pools
import pytest
from celery import current_app

from dovetail.tasks.queues import transport_options


def queue_tasks(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Send tasks to the broker at this URL until the test ends."""
    app: Any = current_app
    monkeypatch.setitem(app.conf, "broker_write_url", url)
    monkeypatch.setitem(app.conf, "broker_transport_options", transport_options(url))
    monkeypatch.setitem(app.conf, "task_always_eager", False)
    monkeypatch.setattr(app, "_pool", None)  # otherwise it stays connected to the former broker
    monkeypatch.setattr(app.amqp, "_producer_pool", None)


def close_connections() -> None:
    """Close all connections to brokers; the app opens new ones."""
    app: Any = current_app
    kombu.pools.reset()
    app._pool = app.amqp._producer_pool = None  # noqa: SLF001 - it has no other way to let go of them
