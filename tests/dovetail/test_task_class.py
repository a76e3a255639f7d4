import pytest
from celery import current_app, shared_task
from django.db import transaction


@shared_task
def say(text: str) -> None:
    del text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["delay_on_commit", "apply_async_on_commit"])
def test_unavailable_broker_fails_neither_the_request_nor_what_follows(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: an error after the commit, for work that can only be lost."""
    monkeypatch.setitem(current_app.conf, "task_always_eager", False)
    monkeypatch.setitem(current_app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(current_app, "_pool", None)
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
    done: list[str] = []

    with transaction.atomic():
        getattr(say, method)("hello") if method == "delay_on_commit" else getattr(say, method)(
            ("hello",)
        )
        transaction.on_commit(lambda: done.append("mail"))

    assert done == ["mail"]
    assert "Error calling" in caplog.text
