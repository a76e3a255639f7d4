from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.core.mail import get_connection

from dovetail.mail.payload import from_payload
from dovetail.tasks.once import once


@shared_task(
    bind=True, autoretry_for=(OSError,), retry_backoff=10, retry_backoff_max=600, max_retries=8
)
def deliver_mail(self: Task[Any, Any], payload: dict[str, Any]) -> None:
    """Send a message from `as_payload`. Retried while the mail server is unavailable.

    A call that is delivered twice sends it once.
    """
    with once(f"mail {self.request.id}") as is_first:
        if is_first:
            get_connection(settings.MAIL_TRANSPORT).send_messages([from_payload(payload)])
