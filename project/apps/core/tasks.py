from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import get_connection

from apps.core.turbo.tasks import render_broadcast

__all__ = ["deliver_mail", "render_broadcast"]  # Celery looks for tasks here


@shared_task(autoretry_for=(OSError,), retry_backoff=10, retry_backoff_max=600, max_retries=8)
def deliver_mail(payload: dict[str, Any]) -> None:
    """Send a message made by `apps.core.mail.as_payload`; tried again while the server is away."""
    from apps.core.mail import from_payload  # noqa: PLC0415 - that module queues this task

    get_connection(settings.MAIL_TRANSPORT).send_messages([from_payload(payload)])
