import pytest
from celery import shared_task
from django.db import transaction

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
