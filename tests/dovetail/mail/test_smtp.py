"""SMTP: what is waited for, what may have arrived, and how often a message is sent."""

from pathlib import Path
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPServerDisconnected

import pytest
from pytest_django.fixtures import Settings

from dovetail.mail.errors import MailRefusedError, MailUnconfirmedError
from dovetail.mail.payload import as_payload
from dovetail.mail.transport import send
from tests.dovetail.mail.certificate import self_signed
from tests.dovetail.mail.smtp_server import CLOSE, SILENCE, TAKEN, Server, message, serve, use

AUTH = "250-localhost\r\n250 AUTH PLAIN LOGIN"


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


@pytest.mark.parametrize("answer", ["251 elsewhere", "252 perhaps", "200 OK", "250-a\r\n250 b"])
def test_any_code_that_begins_with_2_is_success(settings: Settings, answer: str) -> None:
    """Kind: copies of a message that was taken (RFC 5321, 4.2.1)."""
    answers = {"MAIL": answer, "RCPT": answer}
    with serve(Server(answers=answers, to_messages=[answer])) as server:
        use(settings, server)
        send(message())

    assert len(server.received) == 1


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, "what?", "150 hm", "354 go on", "25", "+50 x"])
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


@pytest.mark.parametrize(
    ("answer", "error"), [("535 wrong", MailRefusedError), ("454 later", SMTPAuthenticationError)]
)
@pytest.mark.parametrize("then", ["", "\r\n421 enough"])
def test_refused_sign_in_is_told_apart(
    settings: Settings, answer: str, error: type[Exception], then: str
) -> None:
    """Also by a server that hangs up on the second mechanism that `smtplib` tries."""
    with serve(Server(answers={"EHLO": AUTH, "AUTH": answer + then})) as server:
        use(settings, server)
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "us"
        with pytest.raises(error):
            send(message())


def test_server_without_the_sign_in_that_is_set_is_refused(settings: Settings) -> None:
    with serve(Server()) as server:
        use(settings, server)
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "us"
        with pytest.raises(MailRefusedError, match="AUTH"):
            send(message())


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
    certificate.write_bytes(self_signed())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(Server(to_messages=[TAKEN, CLOSE]), str(certificate)) as server:
        use(settings, server, is_tls=True)
        send(message())
        with pytest.raises(MailUnconfirmedError):
            send(message())

    assert len(server.received) == 2
