"""Delivers messages through a provider's API, and tells what has become of them.

Own code because an error of anymail's is the same whether the provider refused a message, took it
and could not say so, or was never reached.
"""

import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from traceback import walk_tb
from typing import Any

import requests
from anymail.backends.base import AnymailBaseBackend
from anymail.exceptions import AnymailAPIError, AnymailError
from anymail.message import AnymailStatus
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from requests.exceptions import TooManyRedirects
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from dovetail.mail.errors import (
    MailPartlyRefusedError,
    MailRefusedError,
    MailUnavailableError,
    MailUnconfirmedError,
    said,
)

# Of Amazon SES, which answers some of these with status 400.
BUSY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceededException"}
TEMPORARY = {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# Of gateways, when the server behind them was asked and gave no answer that they could pass on; 408
# when they have lost their patience; those from 520 on are Cloudflare's.
UNCONFIRMED = {
    *(HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT),
    *(520, 522, 524),
}
# The connection was never made. A request may have been sent before all other errors.
NEVER_SENT = (ConnectTimeoutError, NewConnectionError, ProxyError)
# The same of botocore, which is an optional package.
NEVER_SENT_BY_BOTO = {
    *("ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError"),
    *("CredentialRetrievalError", "NoCredentialsError", "PartialCredentialsError"),
    "ParamValidationError",
}
REFUSED = {"failed", "invalid", "rejected"}  # of anymail's words for what became of a recipient
# These refuse a message with a Message-ID of its sender's, or have no place for it, or do not say;
# to make a copy known as one, it is not worth that no mail is sent.
HAVE_THEIR_OWN_ID = {
    *("Brevo", "MailerSend", "Mailjet", "Mailtrap", "Postal", "Resend", "Scaleway", "SparkPost"),
    "Unisender Go",
}

logger = logging.getLogger(__name__)


def takes_message_id(connection: BaseEmailBackend) -> bool:
    """Return whether a message can be sent with a Message-ID."""
    return getattr(connection, "esp_name", None) not in HAVE_THEIR_OWN_ID


def send(connection: AnymailBaseBackend, message: EmailMessage) -> None:
    """Send a message through an open connection.

    Raises:
        MailUnavailableError: try again later.
        MailUnconfirmedError: it may have arrived.
        MailRefusedError: the message or a setting has to change first.
        MailPartlyRefusedError: some recipients were refused.
    """
    if session := getattr(connection, "session", None):
        # A redirected POST may become a GET, which sends nothing, and no provider's API redirects.
        session.max_redirects = 0
    try:
        connection.send_messages([message])
    except AnymailAPIError as error:
        raise _kind_of(error, connection.esp_name) from error
    except Exception as error:  # noqa: BLE001 - those of anymail's parsers, too
        _raise_unless_taken(error, getattr(message, "anymail_status", AnymailStatus()))
    _raise_if_refused(message)


def _raise_unless_taken(error: Exception, status: AnymailStatus) -> None:
    """Raise what an error means that is not one of the provider's API.

    anymail notes the answer before it reads it, and the recipients once it has.
    """
    if status.recipients:
        if not isinstance(error, AnymailError):  # for all recipients were refused
            logger.error("Mail was sent, and a receiver of post_send failed", exc_info=error)
        return
    if status.esp_response is not None or type(error).__module__ == "botocore.parsers":
        raise MailUnconfirmedError(f"the answer cannot be read: {error!r}") from error
    if isinstance(error, AnymailError):  # a field that cannot be sent
        raise MailRefusedError(str(error)) from error
    raise error


def _raise_if_refused(message: EmailMessage) -> None:
    status: AnymailStatus | None = getattr(message, "anymail_status", None)
    if status is None:  # a receiver of pre_send has cancelled it
        return
    refused = {
        address: str(recipient.status)
        for address, recipient in status.recipients.items()
        if recipient.status in REFUSED
    }
    if all(
        recipient.status == "unknown" and recipient.message_id is None
        for recipient in status.recipients.values()
    ):
        answer = _text_of(status.esp_response)[:200]
        raise MailUnconfirmedError(f"the answer says nothing of any recipient: {answer!r}")
    if refused and len(refused) == len(status.recipients):
        raise MailRefusedError(f"{said(refused)} {_text_of(status.esp_response)}")
    if not refused:
        refused = _perhaps_refused(status)
    if refused:
        raise MailPartlyRefusedError(refused)


def _perhaps_refused(status: AnymailStatus) -> dict[str, str]:
    """Return all recipients if the provider says how many it refused, and not whom.

    So does SparkPost.
    """
    answer = _json_of(status.esp_response)
    results = answer.get("results") if isinstance(answer, dict) else None
    count = results.get("total_rejected_recipients") if isinstance(results, dict) else None
    if not count:
        return {}
    why = f"perhaps: {count} of {len(status.recipients)} were, and it is not said which"
    return dict.fromkeys(status.recipients, why)


def _kind_of(error: AnymailAPIError, provider: str) -> Exception:
    status = _status(error)
    is_redirect = status is not None and status // 100 == HTTPStatus.MULTIPLE_CHOICES // 100
    if is_redirect or isinstance(error.__cause__, TooManyRedirects):
        return MailRefusedError(_redirect(error, provider))
    if status is None:
        return _kind_without_status(error)
    if status in UNCONFIRMED or (
        status // 100 == HTTPStatus.OK // 100 and not _names_an_error(error)
    ):
        return MailUnconfirmedError(error)
    return (MailUnavailableError if _is_temporary(error, status) else MailRefusedError)(str(error))


def _kind_without_status(error: AnymailAPIError) -> Exception:
    cause = error.__cause__
    if isinstance(cause, requests.RequestException) and isinstance(cause, ValueError):
        return MailRefusedError(str(error))  # the URL of the API is none
    if type(cause).__name__ in NEVER_SENT_BY_BOTO or any(
        isinstance(item, NEVER_SENT) or _is_of_handshake(item) for item in _chain(error)
    ):
        return MailUnavailableError(str(error))
    return MailUnconfirmedError(error)


def _redirect(error: AnymailAPIError, provider: str) -> str:
    name = provider.upper().replace(" ", "_")
    response = getattr(error.__cause__, "response", None)
    response = error.response if response is None else response
    target = response.headers.get("Location") if response is not None else None
    return (
        f"The provider's API redirects to {target or 'nowhere'}, and no provider's does: correct "
        f"{name}_API_URL, or what stands between."
    )


def _is_of_handshake(error: BaseException) -> bool:
    """Return whether TLS failed before anything was sent, as when a certificate is refused."""
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in walk_tb(error.__traceback__))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Return an error and all that have led to it."""
    found: list[BaseException] = [error]
    for item in found:
        yield item
        causes = (item.__cause__, item.__context__, getattr(item, "reason", None))
        found += [
            cause for cause in causes if isinstance(cause, BaseException) and cause not in found
        ]


def _is_temporary(error: AnymailAPIError, status: int) -> bool:
    """Return whether the same message may be accepted later."""
    is_busy = _answer(error).get("Error", {}).get("Code") in BUSY
    return is_busy or status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _names_an_error(error: AnymailAPIError) -> bool:
    """Return whether an answer with a status of success says that there was none, as Postal's."""
    answer = _json_of(error.response)
    return isinstance(answer, dict) and bool(
        answer.get("ErrorCode")
        or answer.get("errors")
        or str(answer.get("status", "")).endswith("error")
    )


def _status(error: AnymailAPIError) -> int | None:
    """Return the status of the provider's answer, None if there was no answer."""
    if error.status_code is not None:
        return int(error.status_code)
    if isinstance(error.response, requests.Response):
        return error.response.status_code
    answer = _answer(error)
    return answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if answer else None


def _answer(error: AnymailAPIError) -> dict[str, Any]:
    """Return what boto3 makes of the answer of Amazon SES, empty for others."""
    answer: Any = getattr(error.__cause__, "response", None)
    return answer if isinstance(answer, dict) else {}


def _json_of(response: object) -> Any:
    try:
        return json.loads(_text_of(response))
    except (ValueError, RecursionError):
        return None


def _text_of(response: object) -> str:
    return response.text if isinstance(response, requests.Response) else ""
