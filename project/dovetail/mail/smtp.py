"""SMTP that tells a message which was not sent from one of which the fate is unknown.

Own code because `smtplib` raises the same error for both, and has one limit of time for all: a
server that looks for viruses in a message may take minutes to answer it (RFC 5321, 4.5.3.2.6), and
one that is down should be given up in seconds. And because Django drops what `smtplib` says of
recipients that were refused while others were not.
"""

import smtplib
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.core.mail.message import sanitize_address

from dovetail.mail.errors import MailPartlyRefusedError, MailUnconfirmedError

# The first digit of an answer is what it says, whatever the others are (RFC 5321, 4.2.1).
TAKEN, FOR_NOW, FOR_GOOD = 2, 4, 5
GO_AHEAD = 354  # the answer to DATA
WRONG_PASSWORD = 535  # the answer to AUTH (RFC 4954, 6)


def first_digit(code: int) -> int:
    """Return the first of the three digits of a code."""
    return code // 100


class _Connection(smtplib.SMTP):
    _refusal: smtplib.SMTPAuthenticationError | None = None

    def auth(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        try:
            return super().auth(*args, **kwargs)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code == WRONG_PASSWORD:
                self._refusal = error
            raise

    def login(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Sign in.

        Raises:
            smtplib.SMTPAuthenticationError: the server refuses; with its word about the password,
                whatever it says or does when `smtplib` tries another mechanism.
        """
        try:
            return super().login(*args, **kwargs)
        except smtplib.SMTPException as error:
            raise self._refusal or error from None

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return _as_smtplib_has_it(*super().mail(sender, options))

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return _as_smtplib_has_it(*super().rcpt(recip, options))

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send a message, and return the answer to it.

        Raises:
            smtplib.SMTPDataError: the server does not want one.
            OSError: not all of it could be sent, and no server delivers a part.
            MailUnconfirmedError: all of it was sent.
        """
        code, answer = self.docmd("data")
        if code != GO_AHEAD:
            raise smtplib.SMTPDataError(code, answer)
        raw = msg.encode("ascii") if isinstance(msg, str) else bytes(msg)
        self._set_timeout(settings.EMAIL_ANSWER_TIMEOUT)
        # A dot alone is the end, so lines that start with one get another (RFC 5321, 4.5.2).
        lines = (b"\n" + raw.removesuffix(b"\r\n")).replace(b"\n.", b"\n..")[1:]
        self.send(lines + b"\r\n.\r\n")
        try:
            code, answer = self.getreply()
        except OSError as error:  # as the errors of smtplib are
            raise MailUnconfirmedError(error) from error
        if first_digit(code) not in {TAKEN, FOR_NOW, FOR_GOOD}:
            raise MailUnconfirmedError(f"the answer has no code that says so: {code} {answer!r}")
        self._set_timeout(self.timeout)
        return _as_smtplib_has_it(code, answer)

    def quit(self) -> tuple[int, bytes]:
        """End the session; what the server says to that changes nothing about the message."""
        try:
            return super().quit()
        except smtplib.SMTPException as error:
            self.close()
            return -1, str(error).encode()

    def _set_timeout(self, seconds: float) -> None:
        if self.sock:
            self.sock.settimeout(seconds)


class _TlsConnection(_Connection, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's, which waits `settings.EMAIL_ANSWER_TIMEOUT` for the answer to a message.

    `settings.EMAIL_TIMEOUT` is for all else. A message that has addresses in `envelope_to` goes to
    these only, whoever its headers name.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _TlsConnection if self.use_ssl else _Connection

    def _send(self, email_message: EmailMessage) -> bool:
        """Send a message.

        Raises:
            MailPartlyRefusedError: some of its recipients were refused.
        """
        encoding = email_message.encoding or settings.DEFAULT_CHARSET
        sender = sanitize_address(email_message.from_email, encoding)
        addresses = getattr(email_message, "envelope_to", None) or email_message.recipients()
        recipients = [_without_name(sanitize_address(item, encoding)) for item in addresses]
        connection, content = self.connection, _bytes_of(email_message)
        if connection is None:
            return False
        try:
            refused = connection.sendmail(sender, recipients, content)
        except smtplib.SMTPRecipientsRefused as error:
            # Nobody got it, and those who are not named were not asked, or not refused.
            for_good, for_now = _sorted(error.recipients)
            for_now = dict.fromkeys({*recipients} - {*for_good}, "not sent yet") | for_now
            if for_good and for_now:
                raise MailPartlyRefusedError(for_good, for_now) from error
            raise
        if refused:
            raise MailPartlyRefusedError(*_sorted(refused))
        return True


def _bytes_of(message: EmailMessage) -> bytes:
    mime: Any = message.message()  # of Django's, which knows ends of lines
    return bytes(mime.as_bytes(linesep="\r\n"))


def _without_name(address: str) -> str:
    return parseaddr(address)[1] or address


def _as_smtplib_has_it(code: int, answer: bytes) -> tuple[int, bytes]:
    """Return 250 for each code of success, since `smtplib` takes others for refusals."""
    return (250 if first_digit(code) == TAKEN else code), answer


def _sorted(refused: dict[str, tuple[int, bytes]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the addresses that were refused for good, those refused for now, and why."""
    sorts: tuple[dict[str, str], dict[str, str]] = {}, {}
    for address, (code, answer) in refused.items():
        is_for_now = first_digit(code) != FOR_GOOD
        sorts[is_for_now][address] = f"{code} {answer.decode(errors='replace')}"
    return sorts
