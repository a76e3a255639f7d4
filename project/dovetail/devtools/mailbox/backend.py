from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from dovetail.devtools.mailbox.messages import save


class EmailBackend(BaseEmailBackend):
    """Saves every message in `settings.MAIL_DIR` instead of sending it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Save each message to a file and return how many were saved.

        Raises:
            OSError: a file could not be written and `fail_silently` is not set.
        """
        saved = 0
        for message in email_messages:
            recipients = message.recipients()
            if not recipients:
                continue
            mime = message.message()
            # The envelope recipients, which are the only place Bcc addresses show up.
            mime["X-Envelope-To"] = ", ".join(recipients)
            try:
                save(mime.as_bytes())
            except OSError:
                if not self.fail_silently:
                    raise
                continue
            saved += 1
        return saved
