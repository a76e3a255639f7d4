import logging
import uuid
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.db import DatabaseError, OperationalError
from django.utils import timezone

from dovetail.tasks import outbox
from dovetail.tasks.failures import remove_old_failures, retry
from dovetail.tasks.models import LONGEST, OutboxEntry, TaskFailure

pytestmark = pytest.mark.django_db

done: list[Any] = []


@shared_task
def divide(number: int, *, by: int) -> None:
    done.append(number / by)


@shared_task
def say(text: str) -> None:
    raise RuntimeError(text)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


ERRORS = [ValueError("file \udcff"), ValueError("a\0b"), UnspeakableError()]
attempts: list[int] = []


@shared_task
def fail_with(number: int) -> None:
    raise ERRORS[number]


@shared_task
def need_the_database() -> None:
    attempts.append(1)
    if len(attempts) == 1:
        raise OperationalError("the server closed the connection unexpectedly")


def run(task: Any, *args: Any, **kwargs: Any) -> None:
    task.apply(args, kwargs, throw=False)


def test_failure_is_recorded_with_its_traceback() -> None:
    run(divide, 1, by=0)

    failure = TaskFailure.objects.get()
    assert failure.task == divide.name
    assert failure.error == "ZeroDivisionError: division by zero"
    assert "done.append(number / by)" in failure.traceback


def test_success_is_not() -> None:
    run(divide, 1, by=2)

    assert not TaskFailure.objects.exists()


def test_any_text_of_an_error_can_be_recorded() -> None:
    """Kind: text that PostgreSQL cannot hold, or more of it than anyone reads."""
    run(say, "\0 x" * LONGEST)

    failure = TaskFailure.objects.get()
    assert len(failure.error) == 1000
    assert len(failure.traceback) <= LONGEST
    assert "raise RuntimeError(text)" in failure.traceback  # not only what it says


@pytest.mark.parametrize("number", range(3))
def test_any_exception_can_be_recorded(number: int, caplog: pytest.LogCaptureFixture) -> None:
    """Kind: a failure of which nothing is left, because its text cannot be stored."""
    caplog.set_level(logging.CRITICAL)  # xdist cannot send the text to its controller
    run(fail_with, number)

    assert TaskFailure.objects.get().error


def test_call_that_fails_twice_is_recorded_once() -> None:
    """Kind: a message that was delivered twice, and would be done twice by a retry of both."""
    for _ in range(2):
        divide.apply((1,), {"by": 0}, throw=False, task_id="same")

    assert TaskFailure.objects.get().task_id == "same"


def test_retried_call_keeps_its_id() -> None:
    """Kind: a retry for which `once` is none."""
    task_id = str(uuid.uuid4())
    divide.apply((1,), {"by": 0}, throw=False, task_id=task_id)

    retry(TaskFailure.objects.all())

    assert str(OutboxEntry.objects.get().task_id) == task_id


def test_retry_of_a_message_made_by_hand_gets_an_id() -> None:
    divide.apply((1,), {"by": 0}, throw=False, task_id="by hand")

    retry(TaskFailure.objects.all())

    assert OutboxEntry.objects.exists()


def test_task_is_retried_while_the_database_is_away() -> None:
    """Kind: a call that is acknowledged while nothing could record that it failed."""
    attempts.clear()

    run(need_the_database)

    assert len(attempts) == 2
    assert not TaskFailure.objects.exists()


def test_failure_that_cannot_be_recorded_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(TaskFailure, "save", refuse)
    run(divide, 1, by=0)
    monkeypatch.undo()

    assert "cannot be recorded" in caplog.text
    assert not TaskFailure.objects.exists()


def test_retry_calls_the_task_again_once() -> None:
    run(divide, 6, by=0)
    failure = TaskFailure.objects.get()
    failure.arguments = failure.arguments.replace("0", "3")  # as if the fault were mended
    failure.save()
    done.clear()
    shown = TaskFailure.objects.filter(pk=failure.pk)

    assert retry(shown) == 1
    assert retry(shown) == 0  # by another person, whose page still shows it
    outbox.drain()

    assert done == [2.0]
    assert not TaskFailure.objects.exists()


def test_old_failures_are_removed() -> None:
    for days in (29, 31):
        run(divide, days, by=0)
        TaskFailure.objects.filter(failed_at__gt=timezone.now() - timedelta(days=1)).update(
            failed_at=timezone.now() - timedelta(days=days)
        )

    remove_old_failures()

    assert "[[29]" in TaskFailure.objects.get().arguments
