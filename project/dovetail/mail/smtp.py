"""SMTP that tells a message which was not sent from one of which the fate is unknown.

Own code because `smtplib` raises the same error for both, and has one limit of time for all: a
server that looks for viruses in a message may take minutes to answer it (RFC 5321, 4.5.3.2.6), and
one that is down should be given up in seconds.
"""

import smtplib
from typing import Any

from django.conf import settings
from django.core.mail.backends import smtp

from dovetail.mail.errors import MailUnconfirmedError

GO_AHEAD = 354  # the answer to DATA


class _Connection(smtplib.SMTP):
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
        if code < 0:
            raise MailUnconfirmedError(f"the answer has no code: {answer!r}")
        self._set_timeout(self.timeout)
        return code, answer

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

    `settings.EMAIL_TIMEOUT` is for all else.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _TlsConnection if self.use_ssl else _Connection
