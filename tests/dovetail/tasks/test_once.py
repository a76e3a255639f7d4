from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend as EmailMessageConnection
from django.db import connections, transaction
from django.utils import timezone

from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.tasks.models import Done
from dovetail.tasks.once import once, remove_old_records


@pytest.mark.django_db
def test_only_the_first_is_told_to_do_it() -> None:
    told = []
    for key in ("a", "a", "b"):
        with once(key) as is_first:
            told.append(is_first)

    assert told == [True, False, True]


@pytest.mark.django_db
def test_what_failed_is_done_again() -> None:
    with pytest.raises(ZeroDivisionError), once("a"):
        raise ZeroDivisionError
    with once("a") as is_first:
        assert is_first


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fails", [True, False])
def test_second_waits_for_the_first(*, fails: bool) -> None:
    """Kind: two workers that have the same message, because the first is slow to acknowledge it."""

    def try_it() -> bool:
        try:
            with once("a") as is_first:
                return is_first
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            with once("a"):
                second = pool.submit(try_it)
                with pytest.raises(TimeoutError):
                    second.result(0.2)
            transaction.set_rollback(fails)
        assert second.result(30) is fails


@pytest.mark.django_db
def test_message_that_is_delivered_twice_is_sent_once(mailoutbox: list[EmailMessage]) -> None:
    payload = as_payload(EmailMessage("Hello", "", "us@example.org", ["you@example.org"]))
    for task_id in ("one", "one", "two"):
        deliver_mail.apply((payload,), task_id=task_id)

    assert len(mailoutbox) == 2


@pytest.mark.django_db
def test_message_that_could_not_be_sent_is_sent_by_the_next_attempt(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    sends, send = [], EmailMessageConnection.send_messages

    def fail_once(self: EmailMessageConnection, messages: list[EmailMessage]) -> int:
        sends.append(messages)
        if len(sends) == 1:
            raise ConnectionRefusedError
        return send(self, messages)

    monkeypatch.setattr(EmailMessageConnection, "send_messages", fail_once)
    payload = as_payload(EmailMessage("Hello", "", "us@example.org", ["you@example.org"]))
    with pytest.raises(Retry):
        deliver_mail.apply((payload,), task_id="one")
    deliver_mail.apply((payload,), task_id="one")

    assert len(sends) == 2
    assert len(mailoutbox) == 1


@pytest.mark.django_db
def test_old_records_are_removed() -> None:
    for key, days in (("old", 8), ("new", 6)):
        Done.objects.create(key=key, created_at=timezone.now() - timedelta(days=days))

    remove_old_records()

    assert [done.key for done in Done.objects.all()] == ["new"]
