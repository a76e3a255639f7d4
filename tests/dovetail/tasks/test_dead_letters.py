"""Dead letters, as RabbitMQ marks them, on a broker of the tests' own."""

import json
from typing import Any, NoReturn

import pytest
from celery import current_app
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from dovetail.tasks import dead_letters
from dovetail.tasks.dead_letters import collect, collect_dead_letters
from dovetail.tasks.models import TaskFailure
from dovetail.tasks.queues import DEAD
from tests.dovetail.tasks.messages import DEEP, NO_DATE, NO_JSON, NO_UUID
from tests.queueing import queue_tasks

pytestmark = pytest.mark.django_db

CALL = [["Ada"], {"count": 2}, {}]


@pytest.fixture(autouse=True)
def _use_broker(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_tasks(monkeypatch, broker)


def die(body: Any = CALL, reason: str = "rejected", **headers: Any) -> None:
    app: Any = current_app
    death = {"reason": reason, "queue": "bulk", "count": 1, "time": 1767312000}
    headers = {"task": "orders.ship", "id": "7", "x-death": [death]} | headers
    with app.connection_for_write() as connected:
        DEAD(connected.default_channel).declare()
        options = {} if isinstance(body, list) else {"content_type": "application/json"}
        connected.Producer(serializer="json").publish(
            body, exchange=DEAD.exchange, routing_key="bulk", headers=headers, **options
        )


def test_dead_letter_becomes_a_failure() -> None:
    die()

    assert collect() == 1
    assert collect() == 0

    failure = TaskFailure.objects.get()
    assert (failure.task, failure.task_id) == ("orders.ship", "7")
    assert json.loads(failure.arguments) == CALL[:2]
    assert failure.error == "Dead letter: rejected by a worker (queue bulk)"


def test_reason_tells_what_killed_its_workers() -> None:
    die(reason="delivery_limit")
    collect()

    assert "each worker that had it was killed" in TaskFailure.objects.get().error


def test_dead_letter_that_comes_again_is_recorded_once() -> None:
    """As after a kill between the commit and the acknowledgment."""
    die()
    die()
    collect()

    assert TaskFailure.objects.count() == 1


def test_letters_without_an_id_are_told_apart() -> None:
    """Kind: two that died in the same second, of which the second was lost."""
    die([["Ada"], {}, {}], id=None)
    die([["Grace"], {}, {}], id=None)
    die([["Grace"], {}, {}], id=None, task="orders.cancel")

    assert collect() == 3
    assert TaskFailure.objects.count() == 3


@pytest.mark.parametrize("task_id", ["7", "7" * 250, "7" * 300])
def test_call_that_was_retried_and_died_again_is_recorded(task_id: str) -> None:
    """Kind: a difference at the end of a text that is cut."""
    for time in (1767312000, 1767312001):
        death = {"reason": "rejected", "queue": "bulk", "time": time}
        headers: dict[str, Any] = {"id": task_id, "x-death": [death]}
        die(**headers)
        collect()
        assert TaskFailure.objects.count() == 1
        TaskFailure.objects.all().delete()


def test_letters_with_long_ids_are_told_apart() -> None:
    for end in "ab":
        die(id="7" * 300 + end)
    collect()

    assert TaskFailure.objects.count() == 2


def test_nothing_is_taken_without_the_database() -> None:
    def refuse(*_: object) -> NoReturn:
        raise DatabaseError("the database is shutting down")

    die()
    with connection.execute_wrapper(refuse), pytest.raises(DatabaseError):
        collect()
    app: Any = current_app
    with app.connection_for_write() as connected:
        left = DEAD(connected.default_channel).get()

    assert left is not None
    assert not left.delivery_info.get("redelivered")


@pytest.mark.parametrize(
    "body",
    [
        *("no JSON", b"\xff\xfe", "[1, 2]", '{"a": 1}', "[1, 2, 3]", ""),
        *(DEEP.data, NO_JSON.data, NO_DATE, NO_UUID),
    ],
    ids=lambda body: str(body)[:20],
)
def test_message_that_is_no_call_is_recorded_without_arguments(body: Any) -> None:
    """Kind: one message that stops all that come after it."""
    die(body)
    die(id="8")

    assert collect() == 2
    assert [failure.arguments == "" for failure in TaskFailure.objects.order_by("pk")] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"task": None, "id": None, "x-death": None},
        {"task": "a\0b" * 200, "id": "\0" * 300},
        {"x-death": ["text", {}]},
        {"x-death": {"reason": "rejected"}},
        {"x-death": 7},
        {"x-death": [{"reason": "\ud800", "queue": "\0", "time": "\ud800"}]},
        {"task": "x\ud800", "id": "\udfff"},
        {"compression": "unknown"},
        {"compression": "zlib"},
        {"task": ["a"], "id": {"b": 1}},
    ],
)
def test_any_headers_can_be_recorded(headers: dict[str, Any]) -> None:
    die(**headers)

    assert collect() == 1
    assert TaskFailure.objects.get().error.startswith("Dead letter")


def test_unavailable_broker_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue_tasks(monkeypatch, "redis://127.0.0.1:9/0")

    with pytest.raises(OperationalError):
        collect()
    collect_dead_letters()

    assert "The broker is unavailable; dead letters stay there" in caplog.text


def test_run_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "MOST", 2)
    for number in range(3):
        die(id=str(number))

    assert [collect(), collect()] == [2, 1]
