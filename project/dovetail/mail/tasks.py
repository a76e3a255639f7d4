import logging
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded

from dovetail.mail import transport
from dovetail.mail.errors import MailRefusedError, MailUnavailableError, MailUnconfirmedError
from dovetail.mail.optional import may_send
from dovetail.mail.payload import from_payload
from dovetail.tasks.base import DATABASE_IS_AWAY
from dovetail.tasks.once import once

PAUSE = 60  # seconds until what may have arrived is sent again

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

    What may have arrived is sent once more, and never again: a second copy is a nuisance, and a
    lost mail may lock someone out. A call that is delivered twice sends it once. What its recipient
    has turned off meanwhile is not sent.
    """
    is_sent = False
    try:
        with once(f"mail {self.request.id}") as is_first:
            if is_first and _is_wanted(payload):
                _send(payload)
                is_sent = True
    except MailUnconfirmedError as error:
        if payload.get("is_unconfirmed"):
            raise
        again = {**payload, "is_unconfirmed": True}
        raise self.retry(args=(again,), kwargs={}, exc=error, countdown=PAUSE) from error
    except (OSError, MailRefusedError) as error:
        if not payload.get("is_unconfirmed"):
            raise
        kind = MailRefusedError if isinstance(error, MailRefusedError) else MailUnavailableError
        raise kind(f"{error} An earlier attempt may have arrived.") from error
    except DATABASE_IS_AWAY:
        if not is_sent:
            raise
        # Another attempt would be a second copy.
        logger.warning("Mail was sent, but the database went away before that was recorded")


def _send(payload: dict[str, Any]) -> None:
    try:
        transport.send(from_payload(payload), payload.get("message_id", ""))
    except SoftTimeLimitExceeded as error:
        raise MailUnconfirmedError("the task took too long") from error


def _is_wanted(payload: dict[str, Any]) -> bool:
    topic, user_id = payload.get("optional") or ("", None)
    if not topic or may_send(topic, user_id, payload["to"]):
        return True
    logger.info("Not sent: mail of the topic %s has been turned off", topic)
    return False
