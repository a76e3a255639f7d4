from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from dovetail.devtools.mailbox.messages import keep


class EmailBackend(BaseEmailBackend):
    """Keeps every message in `settings.MAIL_DIR` in place of sending it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each message to a file of its own; return how many.

        Raises:
            OSError: a file could not be written, unless `fail_silently`.
        """
        kept = 0
        for message in email_messages:
            recipients = message.recipients()
            if not recipients:
                continue
            mime = message.message()
            # As a server would note it: the only place that shows who got a blind copy.
            mime["X-Envelope-To"] = ", ".join(recipients)
            try:
                keep(mime.as_bytes())
            except OSError:
                if not self.fail_silently:
                    raise
                continue
            kept += 1
        return kept
