"""Mail leaves by a task, after the transaction that caused it: a slow provider holds no request."""

import base64
import logging
from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.core.tasks import deliver_mail

logger = logging.getLogger(__name__)


class QueueBackend(BaseEmailBackend):
    """Hands every message to a task, which sends it through `settings.MAIL_TRANSPORT`."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the messages for the moment when the current transaction commits.

        Raises:
            TypeError: a message has an attachment made by hand as a MIME part.
        """
        payloads = [as_payload(message) for message in email_messages if message.recipients()]
        for payload in payloads:
            transaction.on_commit(lambda payload=payload: _queue(payload), robust=True)  # type: ignore[misc]
        return len(payloads)


def as_payload(message: EmailMessage) -> dict[str, Any]:
    """Return what the task needs to build the message anew, in words that JSON knows."""
    return {
        "subject": str(message.subject),
        "body": str(message.body),
        "from_email": message.from_email,
        "to": list(message.to),
        "cc": list(message.cc),
        "bcc": list(message.bcc),
        "reply_to": list(message.reply_to),
        "headers": {name: str(value) for name, value in message.extra_headers.items()},
        "content_subtype": message.content_subtype,
        "alternatives": [
            [str(content), kind] for content, kind in getattr(message, "alternatives", [])
        ],
        "attachments": [_encode(attachment) for attachment in message.attachments],
    }


def from_payload(payload: dict[str, Any]) -> EmailMultiAlternatives:
    """Return the message that `as_payload` described."""
    fields = dict(payload)
    subtype = fields.pop("content_subtype")
    fields["attachments"] = [
        (name, base64.b64decode(content), kind) for name, content, kind in fields["attachments"]
    ]
    message = EmailMultiAlternatives(**fields)
    message.content_subtype = subtype
    return message


def _encode(attachment: Any) -> list[str | None]:
    if not isinstance(attachment, tuple):
        raise TypeError("Attach a file with message.attach(name, content, mimetype).")
    name, content, kind = attachment
    raw = content.encode() if isinstance(content, str) else content
    return [name, base64.b64encode(raw).decode(), kind]


def _queue(payload: dict[str, Any]) -> None:
    try:
        deliver_mail.delay(payload)
    except OperationalError as error:
        # Slower for this one request, but the message is not lost.
        logger.warning("the broker does not answer (%s): sending mail without it", error)
        deliver_mail.run(payload)
