from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import get_connection

from dovetail.mail.payload import from_payload


@shared_task(autoretry_for=(OSError,), retry_backoff=10, retry_backoff_max=600, max_retries=8)
def deliver_mail(payload: dict[str, Any]) -> None:
    """Send a message from `as_payload`. Retried while the mail server is unavailable."""
    get_connection(settings.MAIL_TRANSPORT).send_messages([from_payload(payload)])
