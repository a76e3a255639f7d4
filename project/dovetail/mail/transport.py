"""Delivers messages, and tells errors that pass from those that do not.

Own code because an error of anymail's is an `OSError` whatever the provider's reason, as are those
of `smtplib`: a task that tries again after each of them would send a wrong address eight times.
"""

from http import HTTPStatus
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailError
from django.conf import settings
from django.core.mail import EmailMessage, get_connection

PERMANENT = 500  # of SMTP (RFC 5321, 4.2.1); codes from 400 on are temporary
# Of Amazon SES, which answers some of these with status 400.
BUSY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceededException"}
TEMPORARY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


class MailUnavailableError(OSError):
    """The mail server or provider cannot take the message at the moment."""


class MailRefusedError(Exception):
    """The mail server or provider will never take the message as it is."""


def send(message: EmailMessage) -> None:
    """Send a message through `settings.MAIL_TRANSPORT`.

    A provider that takes a message and does not answer in time gets it twice.

    Raises:
        MailUnavailableError: try again later.
        MailRefusedError: the message or a setting has to change first.
        OSError: the connection failed.
    """
    try:
        get_connection(settings.MAIL_TRANSPORT).send_messages([message])
    except AnymailAPIError as error:
        kind = MailUnavailableError if is_temporary(error) else MailRefusedError
        raise kind(str(error)) from error
    except AnymailError as error:  # all recipients refused, or a field that cannot be sent
        raise MailRefusedError(str(error)) from error
    except (SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused) as error:
        if _is_permanent(error):
            raise MailRefusedError(str(error)) from error
        raise


def is_temporary(error: AnymailAPIError) -> bool:
    """Return whether the same message may be accepted later."""
    status = error.status_code
    if status is not None:
        return status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    # Without a status, the connection failed, or boto3 did, whose errors have the answer.
    answer: Any = getattr(error.__cause__, "response", None)
    if not isinstance(answer, dict):
        return True
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    is_busy = answer.get("Error", {}).get("Code") in BUSY
    return is_busy or status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _is_permanent(error: SMTPDataError | SMTPRecipientsRefused | SMTPSenderRefused) -> bool:
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _ in error.recipients.values())
    return error.smtp_code >= PERMANENT
