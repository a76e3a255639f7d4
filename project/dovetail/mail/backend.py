"""An email backend that queues every message for a task."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.tasks import outbox


class QueueBackend(BaseEmailBackend):
    """Queues messages for a task, which sends them through `settings.MAIL_TRANSPORT`."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Put the messages into the outbox; they are sent if the current transaction commits.

        Raises:
            TypeError: an attachment is a MIME part rather than a name, content and type.
        """
        payloads = [as_payload(message) for message in email_messages if message.recipients()]
        for payload in payloads:
            outbox.delay(deliver_mail, payload)
        return len(payloads)
