from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend

from dovetail.mail.errors import MailRefusedError
from dovetail.mail.transport import send


def message() -> EmailMessage:
    return EmailMessage("Hello", "", "us@site.example", ["ada@example.org"])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SMTPRecipientsRefused({"ada@example.org": (550, b"No such user")}), MailRefusedError),
        (SMTPRecipientsRefused({"ada@example.org": (450, b"Busy")}), SMTPRecipientsRefused),
        (SMTPDataError(554, b"Spam"), MailRefusedError),
        (SMTPDataError(451, b"Try again"), SMTPDataError),
    ],
)
def test_smtp_servers_answers_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def refuse(*_: Any) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    with pytest.raises(expected):
        send(message())


def test_message_for_others_than_its_recipients_is_refused(mailoutbox: list[EmailMessage]) -> None:
    email = message()
    email.cc = ["Bob <bob@example.org>"]
    send(email, only=["BOB@example.org"])
    assert [sent.recipients() for sent in mailoutbox] == [["Bob <bob@example.org>"]]

    with pytest.raises(MailRefusedError, match=r"No recipient .* eve@example\.org"):
        send(message(), only=["eve@example.org"])
