"""What the outbox promises, with a broker of its own."""

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from kombu.exceptions import EncodeError, OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks

from dovetail.tasks import outbox
from dovetail.tasks.models import OutboxEntry, TaskFailure
from tests.queueing import queue_tasks

pytestmark = pytest.mark.django_db(transaction=True)

LONG = 60  # seconds; without a limit, it takes minutes
NOWHERE = "redis://127.0.0.1:9/0"
DRAIN = "dovetail.tasks.outbox.drain_outbox"

Arrived = Callable[[], list[Any]]


@shared_task
def say(*args: Any, **kwargs: Any) -> None:
    del args, kwargs


@shared_task
def wait() -> None: ...


@pytest.fixture
def arrived(broker: str, monkeypatch: pytest.MonkeyPatch) -> Arrived:
    """Return a function that takes what has arrived at the broker: task and arguments of each."""
    queue_tasks(monkeypatch, broker)

    def arrived() -> list[Any]:
        found = []
        app: Any = current_app
        with app.connection_for_write(broker) as connected:
            for name in ("mail", "default"):
                queue = app.amqp.queues[name](connected.default_channel)
                queue.declare()
                while message := queue.get(no_ack=True):
                    args, kwargs, _ = message.decode()
                    found.append((message.headers["task"], message.headers["id"], args, kwargs))
        return found

    arrived()
    return arrived


def said(messages: list[Any]) -> list[Any]:
    return [args[0] for name, _, args, _ in messages if name == say.name]


def test_calls_arrive_after_the_commit_in_order(arrived: Arrived) -> None:
    with transaction.atomic():
        for number in range(5):
            outbox.delay(say, number)
        assert arrived() == []

    assert [name for name, *_ in arrived()] == [DRAIN]  # once for all of them
    assert outbox.drain() == 5
    assert said(arrived()) == [0, 1, 2, 3, 4]
    assert not OutboxEntry.objects.exists()


def test_arguments_arrive_as_they_were(arrived: Arrived) -> None:
    args = ["\0 Grüße", datetime(2026, 1, 2, tzinfo=UTC), uuid.uuid4(), {"nested": [1.5, None]}]
    outbox.delay(say, *args, name="text")
    entry = OutboxEntry.objects.get()

    outbox.drain()

    assert arrived()[-1] == (say.name, str(entry.task_id), args, {"name": "text"})


def test_call_that_cannot_be_sent_as_json_is_an_error_at_once() -> None:
    with pytest.raises(EncodeError):
        outbox.delay(say, object())
    assert not OutboxEntry.objects.exists()


def test_nothing_arrives_after_a_rollback(arrived: Arrived) -> None:
    with transaction.atomic():
        outbox.delay(say, "rolled back")
        transaction.set_rollback(True)

    assert arrived() == []
    assert outbox.drain() == 0


def test_what_follows_a_savepoint_that_was_rolled_back_arrives(arrived: Arrived) -> None:
    with transaction.atomic():
        with transaction.atomic():
            outbox.delay(say, "rolled back")
            transaction.set_rollback(True)
        outbox.delay(say, "kept")

    assert [name for name, *_ in arrived()] == [DRAIN]
    outbox.drain()
    assert said(arrived()) == ["kept"]


def test_calls_wait_while_the_broker_is_unavailable(
    arrived: Arrived, broker: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: work that was promised, and is gone because a server was restarted at the time."""
    queue_tasks(monkeypatch, NOWHERE)
    with transaction.atomic():
        outbox.delay(say, 1)
    outbox.delay(say, 2)
    outbox.drain_outbox.run()
    with pytest.raises(OperationalError):
        outbox.drain()
    assert caplog.text.count("The broker is unavailable; calls wait in the outbox") == 3

    queue_tasks(monkeypatch, broker)
    assert arrived() == []
    outbox.wake()
    assert [name for name, *_ in arrived()] == [DRAIN]
    outbox.drain_outbox.run()
    assert said(arrived()) == [1, 2]


def test_broker_that_goes_away_meanwhile_gets_nothing_twice(
    arrived: Arrived, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, calls = OutboxEntry.send, []

    def send_two(entry: OutboxEntry) -> None:
        calls.append(entry)
        if len(calls) == 3:
            raise OperationalError("gone")
        send(entry)

    with transaction.atomic():
        for number in range(4):
            outbox.delay(say, number)
    monkeypatch.setattr(OutboxEntry, "send", send_two)
    with pytest.raises(OperationalError, match="gone"):
        outbox.drain()
    assert OutboxEntry.objects.count() == 2

    outbox.drain()
    assert said(arrived()) == [0, 1, 2, 3]


def test_call_that_is_sent_twice_keeps_its_id(
    arrived: Arrived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between sending and deleting, by which a task can tell a duplicate."""
    outbox.delay(say, "twice")
    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "delete", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            outbox.drain()

    outbox.drain()

    first, second = [message for message in arrived() if message[0] == say.name]
    assert first == second


def test_call_of_a_task_that_is_gone_is_kept_as_a_failure(
    arrived: Arrived, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: one row that stops all that come after it."""
    OutboxEntry.of("apps.gone.tasks.removed", (), {}).save()
    OutboxEntry(task=say.name, arguments="no JSON").save()
    outbox.delay(say, "after them")

    assert outbox.drain() == 3

    assert said(arrived()) == ["after them"]
    assert caplog.text.count("cannot be sent, and is kept as a failure") == 2
    gone, broken = TaskFailure.objects.order_by("pk")
    assert gone.task == "apps.gone.tasks.removed"
    assert gone.error.startswith("NotRegistered: ")
    assert broken.error.startswith("DecodeError: ")
    assert broken.arguments == "no JSON"
    assert "Traceback" in broken.traceback


def test_entry_whose_error_cannot_be_stored_stops_nothing(
    arrived: Arrived, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # xdist cannot send the text to its controller
    OutboxEntry(task=wait.name, arguments='[[],{"\\ud800":1}]').save()
    outbox.delay(say, "after it")

    outbox.drain()

    assert said(arrived())[-1] == "after it"


def test_time_limit_while_sending_is_no_failure_of_the_entry(
    arrived: Arrived, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: OutboxEntry) -> None:
        raise SoftTimeLimitExceeded

    outbox.delay(say, "later")
    with monkeypatch.context() as patch:
        patch.setattr(OutboxEntry, "send", stop)
        with pytest.raises(SoftTimeLimitExceeded):
            outbox.drain()
    assert not TaskFailure.objects.exists()

    outbox.drain()
    assert said(arrived()) == ["later"]


def test_broker_that_never_answers_holds_up_a_request_for_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        queue_tasks(monkeypatch, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        start = time.monotonic()
        outbox.wake()

    assert "The broker is unavailable" in caplog.text
    assert time.monotonic() - start < LONG


def test_tests_capture_it_whatever_came_before(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, arrived: Arrived
) -> None:
    """Kind: one call for a transaction, which in a test lasts from its first fixture on."""
    with transaction.atomic():
        outbox.delay(say, 1)
        with django_capture_on_commit_callbacks(execute=True):
            outbox.delay(say, 2)
            outbox.delay(say, 3)
        assert [name for name, *_ in arrived()] == [DRAIN]


def test_many_workers_keep_the_order(arrived: Arrived) -> None:
    count = outbox.BATCH * 2 + 50
    with transaction.atomic():
        for number in range(count):
            outbox.delay(say, number)

    with ThreadPoolExecutor(3) as pool:
        sent = sum(pool.map(lambda _: in_thread(outbox.drain), range(3)))

    assert sent == count
    assert said(arrived()) == list(range(count))


def test_entry_committed_while_another_worker_sends_does_not_wait_for_the_next_minute(
    arrived: Arrived,
) -> None:
    """Kind: the last look of one process, before the first of another that did not look."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [outbox.LOCK])
        started = threading.Event()

        def drain() -> int:
            outbox.delay(say, "meanwhile")
            started.set()
            return outbox.drain()

        second = pool.submit(in_thread, drain)
        assert started.wait(30)
        transaction.set_rollback(True)

    assert second.result(30) == 1
    assert said(arrived()) == ["meanwhile"]


def in_thread(function: Callable[[], int]) -> int:
    try:
        return function()
    finally:
        connections.close_all()
