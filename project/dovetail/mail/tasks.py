import logging
import traceback
from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.time import get_exponential_backoff_interval
from django.utils import timezone

from dovetail.mail import transport
from dovetail.mail.errors import (
    MailPartlyRefusedError,
    MailRefusedError,
    MailUnavailableError,
    MailUnconfirmedError,
    said,
)
from dovetail.mail.optional import may_send
from dovetail.mail.payload import from_payload
from dovetail.tasks import outbox
from dovetail.tasks.base import DATABASE_IS_AWAY
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.once import once

PAUSE = 60  # seconds until what may have arrived is sent again
BACKOFF = 10  # seconds until the second attempt, at most; doubling
BACKOFF_MAX = 600
RETRIES = 8

logger = logging.getLogger(__name__)


@shared_task(
    bind=True,
    autoretry_for=(OSError, *DATABASE_IS_AWAY),
    retry_backoff=BACKOFF,
    retry_backoff_max=BACKOFF_MAX,
    max_retries=RETRIES,
)
def deliver_mail(self: Task[Any, Any], payload: dict[str, Any]) -> None:
    """Send a message from `as_payload`. Retried while the mail server is unavailable.

    What may have arrived is sent once more, and never again: a second copy is a nuisance, and a
    lost mail may lock someone out. A call that is delivered twice sends it once. What its recipient
    has turned off meanwhile is not sent.
    """
    is_sent, refusal = False, None
    try:
        with once(f"mail {self.request.id}") as is_first:
            if is_first and _is_wanted(payload):
                refusal = _send(payload)
                is_sent = True
                if refusal:
                    _split(self, payload, refusal)
    except MailUnconfirmedError as error:
        if payload.get("is_unconfirmed"):
            raise
        # Also what is recorded if there is no attempt left.
        self.request.args, self.request.kwargs = [{**payload, "is_unconfirmed": True}], {}
        raise self.retry(exc=error, countdown=PAUSE) from error
    except (OSError, MailRefusedError) as error:
        if not payload.get("is_unconfirmed"):
            raise
        kind = MailRefusedError if isinstance(error, MailRefusedError) else MailUnavailableError
        raise kind(_with_history(payload, str(error))) from error
    except DATABASE_IS_AWAY:
        if not is_sent:
            raise
        # Another attempt would be a second copy.
        logger.warning(
            "Mail was sent, but the database went away before that was recorded. %s", refusal or ""
        )


def _send(payload: dict[str, Any]) -> MailPartlyRefusedError | None:
    """Send a message, and return which of its recipients were refused while others were not."""
    try:
        message = from_payload(payload)
        transport.send(message, payload.get("message_id", ""), payload.get("only", ()))
    except SoftTimeLimitExceeded as error:
        raise MailUnconfirmedError("the task took too long") from error
    except MailPartlyRefusedError as error:
        return error
    return None


def _split(task: Task[Any, Any], payload: dict[str, Any], refusal: MailPartlyRefusedError) -> None:
    """Record recipients who were refused, and try those again who may be taken later.

    By calls of their own, as this one is done for all others, who must not get another copy.
    """
    for_good, for_now = refusal.for_good, refusal.for_now
    retries = task.request.retries
    if retries >= RETRIES:
        for_good, for_now = {**for_good, **for_now}, {}
    if for_good:
        call = _limited(payload, for_good)
        error = MailRefusedError(_with_history(payload, said(for_good)))
        said_where = "".join(traceback.format_exception(refusal))
        TaskFailure.of(call.task, str(call.task_id), call.arguments, error, said_where).keep()
    if for_now:
        pause = get_exponential_backoff_interval(BACKOFF, retries, BACKOFF_MAX, full_jitter=True)
        eta = timezone.now() + timedelta(seconds=pause)
        outbox.put(_limited(payload, for_now, retries=retries + 1, eta=eta))


def _limited(payload: dict[str, Any], only: dict[str, str], **options: Any) -> OutboxEntry:
    """Return a call that sends a message to some of its recipients."""
    return OutboxEntry.of(deliver_mail.name, ({**payload, "only": list(only)},), {}, **options)


def _with_history(payload: dict[str, Any], text: str) -> str:
    """Add to what is said of a failure that an earlier attempt may have arrived, if so."""
    return f"{text} An earlier attempt may have arrived." if payload.get("is_unconfirmed") else text


def _is_wanted(payload: dict[str, Any]) -> bool:
    topic, user_id = payload.get("optional") or ("", None)
    if not topic or may_send(topic, user_id, payload["to"]):
        return True
    logger.info("Not sent: mail of the topic %s has been turned off", topic)
    return False
