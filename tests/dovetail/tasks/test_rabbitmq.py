"""What only RabbitMQ does: it refuses rights, keeps dead letters, and blocks whoever publishes."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Semaphore
from typing import Any

import kombu
import pytest
from celery import current_app, shared_task
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError

from dovetail.tasks import outbox, status
from dovetail.tasks.dead_letters import collect
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.queues import DEAD, UNAVAILABLE
from tests.dovetail.tasks.messages import (
    ABSENT,
    CALL,
    DEEP,
    GARBAGE,
    NO_DATE,
    NO_JSON,
    NO_UUID,
    send,
)
from tests.eventually import Eventually
from tests.queueing import close_connections, queue_tasks
from tests.stack import rabbitmq
from tests.stack.proxy import DECLARE, mute_proxy
from tests.stack.rabbitmq import USER, RabbitMQ

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.long("starts RabbitMQ and waits for its limits"),
    pytest.mark.xdist_group("rabbitmq"),
    pytest.mark.skipif(
        not shutil.which("rabbitmq-server"),
        reason="there is no RabbitMQ: `nix flake check` runs it",
    ),
]

LIMIT = 60  # seconds; generous, for a busy machine
TOO_LARGE = "x" * 17_000_000  # characters; RabbitMQ takes 16 MiB

arrived = Semaphore(0)
begun = Semaphore(0)
may_end = Semaphore(0)


@shared_task
def arrive(*_: Any) -> None:
    arrived.release()


@shared_task
def hold() -> None:
    begun.release()
    assert may_end.acquire(timeout=LIMIT)


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with rabbitmq.running() as server:
        yield server


@pytest.fixture
def empty(server: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> RabbitMQ:
    """Send tasks to the server, and delete the queues that earlier tests have left."""
    app: Any = current_app
    monkeypatch.setenv("CELERY_BROKER_URL", server.url)
    monkeypatch.setitem(app.conf, "broker_read_url", server.url)
    monkeypatch.setitem(app.conf, "worker_hijack_root_logger", False)  # it is caplog's
    close_connections()  # which know queues that are gone
    queue_tasks(monkeypatch, server.url)
    with kombu.Connection(server.url) as broker:
        for queue in (*app.amqp.queues.values(), DEAD):
            queue(broker.default_channel).delete()
    return server


def waiting(server: RabbitMQ) -> int:
    """Return how many messages the queues hold, with those that workers have taken."""
    rows = server.control("list_queues", "messages", "--no-table-headers").split()
    return sum(int(row) for row in rows)


def work(**options: bool) -> AbstractContextManager[Any]:
    fixed: dict[str, Any] = {"pool": "threads", "concurrency": 2, "perform_ping_check": False}
    return start_worker(current_app, shutdown_timeout=LIMIT, **(fixed | options))


Trouble = Callable[[RabbitMQ, pytest.MonkeyPatch], AbstractContextManager[None]]


@contextmanager
def wrong_password(server: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        queue_tasks(patch, server.url_of("wrong"))
        yield


@contextmanager
def no_vhost(server: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        queue_tasks(patch, f"{server.url.removesuffix('//')}/gone")
        yield


@contextmanager
def no_right_to_write(server: RabbitMQ, _: pytest.MonkeyPatch) -> Iterator[None]:
    server.control("set_permissions", USER, ".*", "", ".*")
    try:
        yield
    finally:
        server.control("set_permissions", USER, ".*", ".*", ".*")


@contextmanager
def queue_of_another_kind(server: RabbitMQ, _: pytest.MonkeyPatch) -> Iterator[None]:
    with kombu.Connection(server.url) as broker:
        queue = kombu.Queue("default", durable=True)(broker.default_channel)
        queue.queue_declare()
        try:
            yield
        finally:
            queue.delete()


@pytest.mark.parametrize(
    "trouble", [wrong_password, no_vhost, no_right_to_write, queue_of_another_kind]
)
def test_calls_wait_while_rabbitmq_refuses_them(
    trouble: Trouble,
    empty: RabbitMQ,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Kind: promised work that is given up for what an administrator mends in a minute."""
    caplog.set_level("WARNING")  # whatever a worker has set
    with trouble(empty, monkeypatch):
        OutboxEntry.of(arrive.name, (), {}).save()
        with pytest.raises(UNAVAILABLE):
            outbox.drain()
        outbox.drain_outbox.run()
        outbox.wake()
        assert OutboxEntry.objects.count() == 1
        assert not TaskFailure.objects.exists()
        assert "The broker is unavailable; calls wait in the outbox" in caplog.text

    assert outbox.drain() == 1
    with work():
        assert arrived.acquire(timeout=LIMIT)


def test_call_that_is_too_large_is_a_failure_and_stops_no_other(empty: RabbitMQ) -> None:
    del empty
    for text in ("before", TOO_LARGE, "after"):
        OutboxEntry.of(arrive.name, (text,), {}).save()

    assert outbox.drain() == 3

    assert TaskFailure.objects.get().error.startswith("PreconditionFailed: ")
    with work():
        assert arrived.acquire(timeout=LIMIT)
        assert arrived.acquire(timeout=LIMIT)


@pytest.mark.parametrize("ask", [status.queues, status.running, collect])
@pytest.mark.parametrize("trouble", [wrong_password, no_vhost])
def test_refused_login_is_an_unavailable_broker(
    ask: Callable[[], object], trouble: Trouble, empty: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a page of staff that is a 500 when they need it."""
    with trouble(empty, monkeypatch), pytest.raises(OperationalError):
        ask()


@pytest.mark.parametrize("ask", [status.running, collect])
def test_refused_right_is_an_unavailable_broker(
    ask: Callable[[], object], empty: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_right_to_write(empty, monkeypatch), pytest.raises(OperationalError, match="403"):
        ask()


def test_silent_server_is_an_unavailable_broker(
    empty: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a page that waits for ever."""
    with mute_proxy(empty.port, after=DECLARE) as port:
        queue_tasks(monkeypatch, empty.url.replace(str(empty.port), str(port)))
        with pytest.raises(OperationalError):
            status.queues()


MALFORMED: list[tuple[Any, dict[str, Any]]] = [
    *((body, {"id": f"{n}"}) for n, body in enumerate((NO_JSON, GARBAGE, DEEP, NO_DATE, NO_UUID))),
    *((body, {"task": "unknown"}) for body in (CALL, NO_JSON, GARBAGE, DEEP)),
    (CALL, {"task": {"a": 1}}),
    (CALL, {"task": [1]}),
    (CALL, {}),
    *((body, {"task": ABSENT}) for body in (CALL, NO_JSON, GARBAGE, DEEP)),
]


def test_malformed_messages_are_kept_as_failures(empty: RabbitMQ) -> None:
    assert collect() == 0  # which creates the queue of dead letters
    with work(), kombu.Connection(empty.url) as sender:
        for body, headers in MALFORMED:
            send(sender, body, headers)
            arrive.delay()
            assert arrived.acquire(timeout=LIMIT)
    for _ in Eventually():
        collect()
        if TaskFailure.objects.count() == len(MALFORMED):
            break


@contextmanager
def full_memory(server: RabbitMQ) -> Iterator[None]:
    server.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        server.control("set_vm_memory_high_watermark", "0.6")


def test_full_rabbitmq_is_an_unavailable_broker(empty: RabbitMQ) -> None:
    """Kind: a page that waits until the memory of another machine is free."""
    assert status.running() == []
    with full_memory(empty), pytest.raises(OperationalError):
        status.running()


def test_worker_goes_on_while_rabbitmq_is_full(empty: RabbitMQ) -> None:
    """Kind: a worker that waits until its heartbeat is confirmed, and does nothing meanwhile."""
    for _ in range(6):
        hold.delay()
    with work(without_heartbeat=False):
        assert begun.acquire(timeout=LIMIT)
        assert begun.acquire(timeout=LIMIT)
        with full_memory(empty):
            for _ in Eventually():  # until it has sent a heartbeat
                if "blocked" in empty.control("list_connections", "state").split():
                    break
            for _ in range(6):
                may_end.release()
            for _ in range(4):
                assert begun.acquire(timeout=LIMIT)
            for _ in Eventually():  # until they are acknowledged
                if not waiting(empty):
                    break
