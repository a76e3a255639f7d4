"""Mail as a task: how often a message is sent, to whom, and what is recorded."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import OperationalError, connection
from django.utils import timezone
from kombu import serialization
from pytest_django.fixtures import Settings

from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.tasks.failures import retry
from dovetail.tasks.models import OutboxEntry, TaskFailure
from tests.dovetail.mail.retried import retried
from tests.dovetail.mail.smtp_server import CLOSE, SILENCE, TAKEN, Server, message, serve, use

LONG = dt.timedelta(minutes=1)


def loads(arguments: str) -> Any:
    return serialization.loads(arguments, "application/json", "utf-8")


@pytest.mark.django_db
def test_nobody_gets_more_than_two(settings: Settings) -> None:
    """Kind: a retry after each error, of which nine copies arrive."""
    payload = as_payload(message())
    with serve(Server(to_messages=[CLOSE])) as server:
        use(settings, server)
        with pytest.raises(Retry) as first:
            deliver_mail.apply((payload,), task_id="one")
        again = retried(first.value)
        deliver_mail.apply(again, task_id="one", retries=1, throw=False)

    assert len(server.received) == 2
    assert len({str(received["Message-ID"]) for received in server.received}) == 1
    failure = TaskFailure.objects.get()
    assert "MailUnconfirmedError: It is unknown whether the message was taken" in failure.error
    assert "may have arrived" in failure.error


@pytest.mark.django_db
def test_last_attempt_is_recorded_as_one_that_may_have_arrived(settings: Settings) -> None:
    """Kind: a third copy, sent by staff after the list of failures."""
    with serve(Server(to_messages=[CLOSE])) as server:
        use(settings, server)
        deliver_mail.apply((as_payload(message()),), task_id="one", retries=8, throw=False)

    (payload,), _ = loads(TaskFailure.objects.get().arguments)
    assert payload["is_unconfirmed"]


@pytest.mark.django_db
def test_second_attempt_may_succeed(settings: Settings) -> None:
    with serve(Server(to_messages=[SILENCE, TAKEN])) as server:
        use(settings, server)
        settings.EMAIL_ANSWER_TIMEOUT = 0.2
        with pytest.raises(Retry) as first:
            deliver_mail.apply((as_payload(message()),), task_id="one")
        for _ in range(2):
            deliver_mail.apply(retried(first.value), task_id="one")

    assert len(server.received) == 2
    assert not TaskFailure.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("answer", ["550 no such user", "450 busy"])
def test_later_failure_says_that_the_first_copy_may_have_arrived(
    settings: Settings, answer: str
) -> None:
    payload = {**as_payload(message()), "is_unconfirmed": True}
    with serve(Server(answers={"RCPT": answer})) as server:
        use(settings, server)
        deliver_mail.apply((payload,), task_id="one", retries=8, throw=False)

    assert "An earlier attempt may have arrived" in TaskFailure.objects.get().error


def to_three() -> EmailMultiAlternatives:
    email = message()
    email.to, email.cc, email.bcc = ["Ada <ada@example.org>"], ["Bob <bob@example.org>"], [EVE]
    return email


EVE = "eve@example.org"


@pytest.mark.django_db
def test_refused_recipient_is_recorded_and_others_get_one_copy(settings: Settings) -> None:
    """Kind: mail that is lost for some, since it was sent to others."""
    task_id = str(uuid4())
    with serve(Server(to_recipients={"bob@example.org": "550 no such user"})) as server:
        use(settings, server)
        for _ in range(2):
            deliver_mail.apply((as_payload(to_three()),), task_id=task_id, throw=True)
        failure = TaskFailure.objects.get()
        assert "MailRefusedError: Refused: bob@example.org (550 no such user)." in failure.error
        assert server.envelopes == [["ada@example.org", EVE]]

        server.to_recipients.clear()
        retry(TaskFailure.objects.all())
        for entry in OutboxEntry.objects.all():
            args, _ = loads(entry.arguments)
            deliver_mail.apply(args, task_id=str(entry.task_id), throw=True)

    assert server.envelopes[1:] == [["bob@example.org"]]
    assert server.received[1]["To"] == "Ada <ada@example.org>"
    assert server.received[1]["Cc"] == "Bob <bob@example.org>"
    assert server.received[1]["Message-ID"] == server.received[0]["Message-ID"]


@pytest.mark.django_db
def test_recipient_refused_for_now_is_tried_again_alone(settings: Settings) -> None:
    answers = {"ada@example.org": "451 greylisted", "bob@example.org": "550 no such user"}
    with serve(Server(to_recipients=answers)) as server:
        use(settings, server)
        deliver_mail.apply((as_payload(to_three()),), task_id=str(uuid4()), throw=True)
        (entry,) = OutboxEntry.objects.all()
        args, _, options = loads(entry.arguments)
        assert options["retries"] == 1
        assert timezone.now() - LONG < options["eta"] < timezone.now() + LONG

        server.to_recipients.clear()
        deliver_mail.apply(args, task_id=str(entry.task_id), retries=1, throw=True)

    assert server.envelopes == [[EVE], ["ada@example.org"]]
    assert "bob@example.org" in TaskFailure.objects.get().error


@pytest.mark.django_db
def test_recipient_refused_for_now_is_recorded_after_the_last_attempt(settings: Settings) -> None:
    with serve(Server(to_recipients={"ada@example.org": "451 greylisted"})) as server:
        use(settings, server)
        payload = as_payload(to_three())
        deliver_mail.apply((payload,), task_id=str(uuid4()), retries=8, throw=True)

    assert "ada@example.org (451 greylisted)" in TaskFailure.objects.get().error
    assert not OutboxEntry.objects.exists()


@pytest.mark.parametrize("answer", ["421 closing", "450 busy"])
@pytest.mark.django_db
def test_nobody_is_left_out_if_the_message_was_not_sent(settings: Settings, answer: str) -> None:
    answers = {"ada@example.org": "550 no such user", "bob@example.org": answer, EVE: answer}
    with serve(Server(to_recipients=answers)) as server:
        use(settings, server)
        deliver_mail.apply((as_payload(to_three()),), task_id=str(uuid4()), throw=True)

    args, _, _ = loads(OutboxEntry.objects.get().arguments)
    assert sorted(args[0]["only"]) == ["bob@example.org", EVE]
    assert "ada@example.org" in TaskFailure.objects.get().error
    assert server.received == []


class LosesTheDatabase(BaseEmailBackend):
    """Takes a message while the connection to the database is lost."""

    taken = 0

    def send_messages(self, _email_messages: object) -> int:
        type(self).taken += 1
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return 1


class TakesTooLong(BaseEmailBackend):
    """Answers each command so late that the task's time limit passes."""

    def send_messages(self, _email_messages: object) -> int:
        raise SoftTimeLimitExceeded


@pytest.mark.django_db
def test_task_that_takes_too_long_may_have_sent_it(settings: Settings) -> None:
    settings.MAIL_TRANSPORT = f"{__name__}.TakesTooLong"

    with pytest.raises(Retry) as first:
        deliver_mail.apply((as_payload(message()),), task_id="one")
    deliver_mail.apply(retried(first.value), task_id="one", retries=1, throw=False)

    assert "may have arrived" in TaskFailure.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_mail_is_not_sent_again_because_it_could_not_be_recorded(settings: Settings) -> None:
    settings.MAIL_TRANSPORT = f"{__name__}.LosesTheDatabase"

    deliver_mail.apply((as_payload(message()),), task_id="one", throw=True)

    assert LosesTheDatabase.taken == 1
