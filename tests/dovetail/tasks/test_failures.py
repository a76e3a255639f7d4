from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from dovetail.tasks import outbox
from dovetail.tasks.failures import remove_old_failures, retry
from dovetail.tasks.models import LONGEST, TaskFailure

pytestmark = pytest.mark.django_db

done: list[Any] = []


@shared_task
def divide(number: int, *, by: int) -> None:
    done.append(number / by)


@shared_task
def say(text: str) -> None:
    raise RuntimeError(text)


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
    assert len(failure.traceback) == LONGEST


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
