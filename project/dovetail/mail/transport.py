"""Delivers messages, and tells errors that pass from those that do not.

Own code because the errors of `smtplib` are an `OSError` each, whatever the reason, as are those of
anymail: a task that tries again after each of them would send a wrong address eight times.
"""

from collections.abc import Collection
from email.utils import parseaddr
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
)

from anymail.backends.base import AnymailBaseBackend
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from dovetail.mail import providers, smtp
from dovetail.mail.errors import MailRefusedError
from dovetail.mail.models import normalized


def send(message: EmailMessage, message_id: str = "", only: Collection[str] = ()) -> None:
    """Send a message through `settings.MAIL_TRANSPORT`.

    Args:
        message: it.
        message_id: its Message-ID, the same in all attempts, by which mail servers and programs
            know that two copies are one message.
        only: the addresses of the recipients who are to get it, if not all.

    Raises:
        MailUnavailableError: try again later.
        MailUnconfirmedError: it may have arrived.
        MailRefusedError: the message or a setting has to change first.
        MailPartlyRefusedError: some recipients were refused.
        OSError: the connection failed.
    """
    try:
        with get_connection(settings.MAIL_TRANSPORT) as connection:
            _send(connection, message, message_id, only)
    except SMTPException as error:
        if _is_permanent(error):
            raise MailRefusedError(str(error)) from error
        raise


def _send(
    connection: BaseEmailBackend, message: EmailMessage, message_id: str, only: Collection[str]
) -> None:
    if message_id and providers.takes_message_id(connection):
        message.extra_headers = {**message.extra_headers, "Message-ID": message_id}
    if only:
        _limit(message, only, connection)
    if isinstance(connection, AnymailBaseBackend):
        providers.send(connection, message)
    else:
        connection.send_messages([message])


def _limit(message: EmailMessage, only: Collection[str], connection: BaseEmailBackend) -> None:
    """Have a message go to some of its recipients; by SMTP, its headers name all of them."""
    if isinstance(connection, smtp.EmailBackend):
        message.envelope_to = list(only)  # type: ignore[attr-defined] # of this backend
        return
    wanted = {normalized(address) for address in only}
    for name in ("to", "cc", "bcc"):
        kept = [item for item in getattr(message, name) if normalized(parseaddr(item)[1]) in wanted]
        setattr(message, name, kept)
    if not message.recipients():
        raise MailRefusedError(f"No recipient of the message is one of {', '.join(only)}.")


def _is_permanent(error: SMTPException) -> bool:
    """Return whether the message or a setting has to change first."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    elif isinstance(error, SMTPDataError | SMTPSenderRefused | SMTPAuthenticationError):
        codes = [error.smtp_code]
    else:  # that the server has no TLS, or no sign-in, which the settings ask for
        return isinstance(error, SMTPNotSupportedError)
    return all(smtp.first_digit(code) == smtp.FOR_GOOD for code in codes)
