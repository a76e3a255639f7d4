"""Delivers messages, and tells errors that pass from those that do not.

Own code because an error of anymail's is an `OSError` whatever the provider's reason, as are those
of `smtplib`: a task that tries again after each of them would send a wrong address eight times.
"""

from http import HTTPStatus
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

import requests
from anymail.exceptions import AnymailAPIError, AnymailError
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ProxyError, SSLError
from urllib3.exceptions import MaxRetryError

from dovetail.mail.errors import MailRefusedError, MailUnavailableError, MailUnconfirmedError

PERMANENT = 500  # of SMTP (RFC 5321, 4.2.1); codes from 400 on are temporary
# Of Amazon SES, which answers some of these with status 400.
BUSY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceededException"}
TEMPORARY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
# The connection was never made, or the server's certificate was refused.
NEVER_SENT = (ConnectTimeout, ProxyError, SSLError)
# Errors of botocore, which is an optional package, once a request has been sent.
UNCONFIRMED_BY_BOTO = {
    *("ConnectionClosedError", "HTTPClientError", "IncompleteReadError", "ReadTimeoutError"),
    "ResponseStreamingError",
}
# These refuse a message with a Message-ID of its sender's, or have no place for it, or do not say;
# to make a copy known as one, it is not worth that no mail is sent.
HAVE_THEIR_OWN_ID = {
    *("Brevo", "MailerSend", "Mailjet", "Mailtrap", "Postal", "Resend", "Scaleway", "SparkPost"),
    "Unisender Go",
}


def send(message: EmailMessage, message_id: str = "") -> None:
    """Send a message through `settings.MAIL_TRANSPORT`.

    Args:
        message: it.
        message_id: its Message-ID, the same in all attempts, by which mail servers and programs
            know that two copies are one message.

    Raises:
        MailUnavailableError: try again later.
        MailUnconfirmedError: it may have arrived.
        MailRefusedError: the message or a setting has to change first.
        OSError: the connection failed.
    """
    connection = get_connection(settings.MAIL_TRANSPORT)
    if message_id and getattr(connection, "esp_name", None) not in HAVE_THEIR_OWN_ID:
        message.extra_headers = {**message.extra_headers, "Message-ID": message_id}
    try:
        connection.send_messages([message])
    except AnymailAPIError as error:
        raise _kind_of(error) from error
    except AnymailError as error:  # all recipients refused, or a field that cannot be sent
        raise MailRefusedError(str(error)) from error
    except (SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused) as error:
        if _is_permanent(error):
            raise MailRefusedError(str(error)) from error
        raise


def _kind_of(error: AnymailAPIError) -> Exception:
    if is_unconfirmed(error):
        return MailUnconfirmedError(error)
    return (MailUnavailableError if is_temporary(error) else MailRefusedError)(str(error))


def is_unconfirmed(error: AnymailAPIError) -> bool:
    """Return whether the provider may have taken the message."""
    cause = error.__cause__
    if (status := _status(error)) is not None:
        return status == HTTPStatus.GATEWAY_TIMEOUT
    if not isinstance(cause, requests.RequestException):
        return cause is None or type(cause).__name__ in UNCONFIRMED_BY_BOTO
    if isinstance(cause, NEVER_SENT):
        return False
    if isinstance(cause, requests.ConnectionError):
        # urllib3's word for a connection that was never made; others were lost.
        return not (cause.args and isinstance(cause.args[0], MaxRetryError))
    return isinstance(cause, requests.Timeout | ChunkedEncodingError)


def is_temporary(error: AnymailAPIError) -> bool:
    """Return whether the same message may be accepted later."""
    status = _status(error)
    if status is None:
        return True  # the connection failed
    is_busy = _answer(error).get("Error", {}).get("Code") in BUSY
    return is_busy or status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _status(error: AnymailAPIError) -> int | None:
    """Return the status of the provider's answer, None if there was no answer."""
    if error.status_code is not None:
        return int(error.status_code)
    answer = _answer(error)
    return answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if answer else None


def _answer(error: AnymailAPIError) -> dict[str, Any]:
    """Return what boto3 makes of the answer of Amazon SES, empty for others."""
    answer: Any = getattr(error.__cause__, "response", None)
    return answer if isinstance(answer, dict) else {}


def _is_permanent(error: SMTPDataError | SMTPRecipientsRefused | SMTPSenderRefused) -> bool:
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _ in error.recipients.values())
    return error.smtp_code >= PERMANENT
