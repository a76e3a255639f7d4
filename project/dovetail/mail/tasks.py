import logging
from typing import Any

from celery import Task, shared_task

from dovetail.mail import transport
from dovetail.mail.optional import may_send
from dovetail.mail.payload import from_payload
from dovetail.tasks.base import DATABASE_IS_AWAY
from dovetail.tasks.once import once

logger = logging.getLogger(__name__)


@shared_task(
    bind=True,
    autoretry_for=(OSError, *DATABASE_IS_AWAY),
    retry_backoff=10,
    retry_backoff_max=600,
    max_retries=8,
)
def deliver_mail(self: Task[Any, Any], payload: dict[str, Any]) -> None:
    """Send a message from `as_payload`. Retried while the mail server is unavailable.

    A call that is delivered twice sends it once. What its recipient has turned off meanwhile is not
    sent.
    """
    with once(f"mail {self.request.id}") as is_first:
        if not is_first:
            return
        topic, user_id = payload.get("optional") or ("", None)
        if topic and not may_send(topic, user_id, payload["to"]):
            logger.info("Not sent: mail of the topic %s has been turned off", topic)
            return
        transport.send(from_payload(payload))
