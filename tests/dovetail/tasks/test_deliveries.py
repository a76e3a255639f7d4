"""Tasks that kill their worker, with real workers on a real Valkey."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import kombu
import pytest
import redis
from celery import current_app
from django.db import DatabaseError, connection
from pytest_django import DjangoAssertNumQueries

from dovetail.tasks.deliveries import Request, count, counted
from dovetail.tasks.failures import retry
from dovetail.tasks.models import Done, OutboxEntry, TaskFailure
from dovetail.tasks.queues import queue
from tests.cable.servers import LIMIT, Worker, environment_for, wait_until
from tests.dovetail.tasks import killers
from tests.dovetail.tasks.messages import CALL, send
from tests.queueing import queue_tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("deliveries")]

Start = Callable[..., Worker]


class Forking(Worker):
    """A worker with a process for its tasks, or without one."""

    pool = "prefork"

    def command(self) -> list[str]:
        options = [*super().command(), "--concurrency", "1", "--queues", "default,seldom"]
        options[options.index("solo")] = self.pool
        return options


class Solo(Forking):
    pool = "solo"


@pytest.fixture
def client(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Return a client of an empty broker, to which this test sends tasks."""
    queue_tasks(monkeypatch, broker)
    with redis.Redis.from_url(broker) as client:
        client.flushdb()
        yield client


@pytest.fixture
def start(broker: str, tmp_path: Path) -> Iterator[Start]:
    started: list[Worker] = []
    environment = environment_for(broker) | {
        "CELERY_BROKER_URL": broker,
        "DJANGO_SETTINGS_MODULE": "tests.dovetail.tasks.settings",
    }

    def start(kind: type[Worker] = Forking) -> Worker:
        worker = kind(tmp_path / f"{len(started)}.log", environment)
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.stop()


def starts(client: redis.Redis, task_id: str) -> int:
    return int(str(client.llen(task_id)))


def deliver_again(client: redis.Redis) -> None:
    """Give back what a killed worker had, as another one does after an hour."""
    app: Any = current_app
    with app.connection_for_write() as broker, broker.channel() as channel:
        for tag in [tag.decode() for tag in client.hkeys("unacked")]:  # type: ignore[union-attr]
            channel.qos.restore_by_tag(tag)


@pytest.mark.parametrize("how", ["kill", "exit", "interrupt"])
def test_task_that_kills_its_process_is_a_failure_after_six(
    how: str, start: Start, client: redis.Redis
) -> None:
    """Kind: a task that runs again at once, for ever, and is listed nowhere."""
    start()
    call = killers.kill.delay(how)
    wait_until(TaskFailure.objects.exists, "the failure is recorded")
    killers.say.delay("after")
    wait_until(lambda: client.llen("after"), "the worker goes on")

    failure = TaskFailure.objects.get()
    assert (failure.task, failure.task_id) == (killers.kill.name, call.id)
    assert json.loads(failure.arguments) == [[how], {}]
    assert failure.error == "WorkerLostError: each worker that had it was killed (queue default)"
    assert starts(client, call.id) == 6
    wait_until(lambda: not client.exists("unacked", "default"), "all is acknowledged")
    assert not counted(call.id)

    assert retry(TaskFailure.objects.all()) == 1
    assert str(OutboxEntry.objects.get().task_id) == call.id


FUTURE = "2999-01-01T00:00:00+00:00"
MALFORMED: list[dict[str, Any]] = [
    {"timelimit": [1]},
    {"timelimit": ["x", "y"]},
    {"timelimit": [1, -1]},
    {"timelimit": [1e400, None]},
    {"timelimit": [1], "eta": FUTURE},
    {"stamped_headers": 3},
    {"stamped_headers": [{}], "stamps": {}},
    {"stamped_headers": ["a"], "stamps": ["a"]},
]


def test_malformed_messages_take_no_place_in_the_pool(
    start: Start, client: redis.Redis, broker: str
) -> None:
    """Kind: a worker that looks alive and runs nothing, since each of its places is taken."""
    start()
    with kombu.Connection(broker) as sender:
        for number, headers in enumerate(MALFORMED):
            send(sender, CALL, {"task": killers.say.name, "id": str(number)} | headers)
    for number in range(3):
        killers.say.delay(f"after {number}")
        wait_until(partial(client.llen, f"after {number}"), "the worker goes on")

    wait_until(lambda: not client.exists("unacked", "default"), "all is acknowledged")


def test_task_that_succeeds_in_the_end_is_none(start: Start, client: redis.Redis) -> None:
    start()
    call = killers.kill_some.delay(5)
    wait_until(lambda: starts(client, call.id) == 6, "it has started six times")
    wait_until(lambda: not client.exists("unacked"), "it is acknowledged")
    wait_until(lambda: not counted(call.id).exists(), "its starts are forgotten")

    assert not TaskFailure.objects.exists()


def test_task_that_kills_the_main_process_is_a_failure(start: Start, client: redis.Redis) -> None:
    """And after as many deliveries as its queue says."""
    worker = start(Solo)
    call = killers.kill.apply_async(("kill",), queue=queue("seldom", delivery_limit=1))
    for _ in range(2):
        assert worker.process
        assert worker.process.wait(LIMIT) == -signal.SIGKILL
        worker = start(Solo)
        deliver_again(client)
    wait_until(TaskFailure.objects.exists, "the failure is recorded")
    wait_until(lambda: not client.exists("unacked"), "it is acknowledged")

    assert TaskFailure.objects.get().task_id == call.id
    assert starts(client, call.id) == 2


@contextmanager
def taken(*, again: bool) -> Iterator[Request]:
    """Yield a message as a worker takes it, for the first time or again."""
    app: Any = current_app
    with app.connection_for_write() as broker, broker.channel() as channel:
        waiting = app.amqp.queues["default"](channel)
        waiting.declare()
        killers.say.apply_async(("hello",), task_id="7")
        message = waiting.get(accept=["json"])
        if again:
            message.requeue()
            message = waiting.get(accept=["json"])
        on = {"on_ack": message.ack_log_error, "on_reject": message.reject_log_error}
        yield Request(message, app=app, task=killers.say, **on)


@pytest.mark.usefixtures("client")
def test_message_that_is_delivered_once_costs_no_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with taken(again=False) as request, django_assert_num_queries(0):
        assert not request.revoked()
        request.on_accepted(1, 0.0)
        request.acknowledge()


def test_task_is_run_if_its_failure_cannot_be_recorded(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: what was promised, acknowledged while nothing could record that it failed."""

    def refuse(*_: object) -> NoReturn:
        raise DatabaseError("the database is shutting down")

    with taken(again=True) as request:
        for _ in range(5):
            count(request.id)
        with connection.execute_wrapper(refuse):
            assert not request.revoked()
            request.on_accepted(1, 0.0)
        assert "cannot be counted" in caplog.text
        assert client.exists("unacked")

        assert request.revoked()
        assert not client.exists("unacked")
        assert TaskFailure.objects.get().task_id == request.id


@pytest.mark.usefixtures("client")
def test_message_that_only_waited_in_killed_workers_is_run() -> None:
    """Kind: a message that others are the cause of."""
    with taken(again=True) as request:
        for _ in range(7):
            assert not request.revoked()
        assert not Done.objects.exists()


@pytest.mark.parametrize("says_so", [True, False])
def test_process_that_died_counts_once(client: redis.Redis, *, says_so: bool) -> None:
    """Whether or not it had said that it had started."""
    for times in (1, 2):
        with taken(again=True) as request:
            if says_so:
                request.on_accepted(1, 0.0)
            request.reject(requeue=True)
        client.delete("default")
        assert counted(request.id).count() == times
