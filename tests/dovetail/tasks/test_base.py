from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Task, current_app, shared_task
from django.db import transaction

from dovetail.devtools.embedded.valkey import find_installed
from dovetail.tasks import outbox
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.queues import UNAVAILABLE
from tests.dovetail.tasks.worker import work
from tests.queueing import queue_tasks


@shared_task
def say(text: str) -> None:
    del text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "arguments"), [("delay_on_commit", "hello"), ("apply_async_on_commit", ("hello",))]
)
def test_unavailable_broker_fails_neither_the_request_nor_what_follows(
    method: str,
    arguments: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Kind: an error after the commit, for work that can only be lost."""
    queue_tasks(monkeypatch, "redis://127.0.0.1:9/0")
    done: list[str] = []

    with transaction.atomic():
        getattr(say, method)(arguments)
        transaction.on_commit(lambda: done.append("mail"))

    assert done == ["mail"]
    assert "Error calling" in caplog.text


@shared_task(bind=True, autoretry_for=(LookupError,), retry_backoff=100, max_retries=3)
def look(self: Task[Any, Any], *args: Any) -> None:
    if args[0] == "changed":
        self.request.args = ["by the task", *args[1:]]
    raise LookupError


@pytest.fixture(params=["away", "full"])
def is_back(
    request: pytest.FixtureRequest, broker: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], None]]:
    """Return a function that ends the time in which a broker takes nothing."""
    with redis.Redis.from_url(broker) as client:
        if request.param == "away":
            queue_tasks(monkeypatch, "redis://127.0.0.1:9/0")
        else:
            queue_tasks(monkeypatch, broker)
            _fill(client)

        def is_back() -> None:
            _empty(client)
            queue_tasks(monkeypatch, broker)

        yield is_back
        _empty(client)


def _fill(client: redis.Redis) -> None:
    if find_installed():
        client.config_set("maxmemory", 1)
    else:  # the embedded server has no limit, and refuses to add to what is no list
        client.mset(dict.fromkeys(["default", "mail"], "no list"))


def _empty(client: redis.Redis) -> None:
    if find_installed():
        client.config_set("maxmemory", 0)
    client.delete("default", "mail")


@pytest.mark.django_db(transaction=True)
def test_next_attempt_waits_in_the_outbox_if_the_broker_does_not_take_it(
    is_back: Callable[[], None], broker: str
) -> None:
    """Kind: a call that is dropped because two servers were in trouble at a time."""
    task_id, moment = str(uuid4()), {"at": datetime(2026, 1, 2, tzinfo=UTC)}
    work(look, ("changed", moment), task_id)

    assert OutboxEntry.objects.count() == 1
    with suppress(*UNAVAILABLE):
        outbox.drain()
    assert OutboxEntry.objects.count() == 1
    assert not TaskFailure.objects.exists()

    is_back()
    outbox.drain()

    message = _arrived(broker)
    args, *_ = message.decode()
    assert args == ["by the task", moment]
    assert (message.headers["id"], message.headers["retries"]) == (task_id, 1)
    assert message.headers["eta"]
    assert not OutboxEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_last_attempt_is_recorded_with_what_the_task_has_changed() -> None:
    work(look, ("changed",), "one", retries=3)

    assert TaskFailure.objects.get().arguments == '[["by the task"], {}]'


@pytest.mark.django_db(transaction=True)
def test_call_of_another_task_does_not_wait_by_itself(
    is_back: Callable[[], None],
) -> None:
    """Whoever calls it learns that the broker is away, and may use the outbox."""
    del is_back
    with pytest.raises(UNAVAILABLE):
        say.delay("hello")
    assert not OutboxEntry.objects.exists()


def _arrived(broker: str) -> Any:
    app: Any = current_app
    with app.connection_for_write(broker) as connected:
        queue = app.amqp.queues["default"](connected.default_channel)
        queue.declare()
        return queue.get(no_ack=True)
