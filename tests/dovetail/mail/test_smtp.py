"""SMTP: what is waited for, what may have arrived, and how often a message is sent."""

import datetime as dt
from pathlib import Path
from smtplib import SMTPDataError, SMTPServerDisconnected

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings

from dovetail.mail.errors import MailUnconfirmedError
from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.mail.transport import send
from dovetail.tasks.models import TaskFailure
from tests.dovetail.mail.retried import retried
from tests.dovetail.mail.smtp_server import CLOSE, SILENCE, TAKEN, Server, serve


def message() -> EmailMultiAlternatives:
    return EmailMultiAlternatives(
        "Hello", ".\nOne\n.\n..two\n", "us@site.example", ["ada@example.org"]
    )


def use(settings: Settings, server: Server, *, is_tls: bool = False) -> None:
    settings.MAIL_TRANSPORT = "dovetail.mail.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", server.port
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = is_tls, False
    settings.EMAIL_TIMEOUT = settings.EMAIL_ANSWER_TIMEOUT = 10


def test_message_arrives_as_it_is(settings: Settings) -> None:
    with serve(Server()) as server:
        use(settings, server)
        send(message(), "<one@site.example>")

    (received,) = server.received
    assert received.get_content() == ".\r\nOne\r\n.\r\n..two\r\n"
    assert received["Message-ID"] == "<one@site.example>"


def test_message_id_of_the_sender_stays(settings: Settings) -> None:
    email = message()
    email.extra_headers = {"message-id": "<mine@site.example>"}
    with serve(Server()) as server:
        use(settings, server)
        send(email, as_payload(email)["message_id"])

    assert server.received[0].get_all("Message-ID") == ["<mine@site.example>"]


def test_answer_to_a_message_may_take_longer_than_others(settings: Settings) -> None:
    with serve(Server(delay=0.5)) as server:
        use(settings, server)
        settings.EMAIL_TIMEOUT = 0.2
        send(message())

    assert len(server.received) == 1


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, "what?"])
def test_message_without_an_answer_may_have_arrived(settings: Settings, answer: str) -> None:
    with serve(Server(to_messages=[answer])) as server:
        use(settings, server)
        settings.EMAIL_ANSWER_TIMEOUT = 0.2
        with pytest.raises(MailUnconfirmedError, match="may have arrived"):
            send(message())


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"MAIL": CLOSE}, SMTPServerDisconnected),
        ({"RCPT": SILENCE}, SMTPServerDisconnected),
        ({"DATA": CLOSE}, SMTPServerDisconnected),
        ({"DATA": "451 later"}, SMTPDataError),
    ],
)
def test_message_that_was_not_sent_has_not_arrived(
    settings: Settings, answers: dict[str, str], error: type[Exception]
) -> None:
    with serve(Server(answers=answers)) as server:
        use(settings, server)
        settings.EMAIL_TIMEOUT = 0.2
        with pytest.raises(error):
            send(message())

    assert server.received == []


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, "500 " + "x" * 9000])
def test_end_of_the_session_changes_nothing(settings: Settings, answer: str) -> None:
    """Kind: an error after the message was taken, by which it is sent again."""
    with serve(Server(answers={"QUIT": answer})) as server:
        use(settings, server)
        settings.EMAIL_TIMEOUT = 0.2
        send(message())

    assert len(server.received) == 1


def test_message_goes_through_tls(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(_certificate())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(Server(to_messages=[TAKEN, CLOSE]), str(certificate)) as server:
        use(settings, server, is_tls=True)
        send(message())
        with pytest.raises(MailUnconfirmedError):
            send(message())

    assert len(server.received) == 2


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


def _certificate() -> bytes:
    """Return a certificate of this machine, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, *form
    )
