"""An email backend that queues every message for a task."""

import logging
from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from kombu.exceptions import OperationalError

from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail

logger = logging.getLogger(__name__)


class QueueBackend(BaseEmailBackend):
    """Queues messages for a task, which sends them through `settings.MAIL_TRANSPORT`."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the messages when the current transaction commits.

        Raises:
            TypeError: an attachment is a MIME part rather than a name, content and type.
        """
        payloads = [as_payload(message) for message in email_messages if message.recipients()]
        for payload in payloads:
            transaction.on_commit(lambda payload=payload: _queue(payload), robust=True)  # type: ignore[misc]
        return len(payloads)


def _queue(payload: dict[str, Any]) -> None:
    try:
        deliver_mail.delay(payload)
    except OperationalError as error:
        # This slows one request down, but the message is not lost.
        logger.warning("The broker is unavailable; sending the message directly: %s", error)
        deliver_mail.run(payload)
