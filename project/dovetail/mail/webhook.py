"""Takes a provider's reports of bounces and complaints, and stops mail to those addresses.

`MAIL_WEBHOOK_VIEW` names the view of django-anymail that checks a report's secret or signature and
reads it. The same report may come again, and late: what happened days ago, or was reported before,
has no effect, so a copy of an old report cannot undo what staff have decided since.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any

from anymail.exceptions import (
    AnymailConfigurationError,
    AnymailError,
    AnymailWebhookValidationFailure,
)
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.conf import settings
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from dovetail.cache.windows import fits
from dovetail.http.address import client_address, network_of
from dovetail.mail.models import LONGEST_ADDRESS, Suppression, normalized
from dovetail.tasks.once import once

MOST = 600  # requests in a minute from one network; each may contain many reports
STALE = timedelta(days=3)  # less than `once` remembers; providers try for a day
# Of these, the word or the number says that the next message may arrive.
TRANSIENT = {"Transient", "Temporary", "Undetermined"}
PASSING_WORDS = ("soft", "blocked", "expired")
PASSING = {RejectReason.BLOCKED, RejectReason.TIMED_OUT}
SPARKPOST_SOFT = {"20", "21", "22", "23", "24", "40", "60", "70", "100"}

Reason = Suppression.Reason
logger = logging.getLogger(__name__)


@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    """Take reports; 404 unless a provider is set, and 400 for those that it did not send."""
    if not settings.MAIL_WEBHOOK_VIEW:
        raise Http404
    # A report counts more than the limit, so that without a cache all are taken.
    if not fits(f"mail-events:{network_of(client_address(request))}", MOST, seconds=60):
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "60"})
    response: HttpResponse = _view(settings.MAIL_WEBHOOK_VIEW)(request)
    return response


@cache
def _view(path: str) -> Callable[[HttpRequest], HttpResponse]:
    """Return anymail's view, which answers 400 rather than 500 to what it cannot read."""
    base: Any = import_string(path)

    def run_validators(self: Any, request: HttpRequest) -> None:
        with _malformed_is_refused():
            base.run_validators(self, request)

    def parse_events(self: Any, request: HttpRequest) -> Any:
        with _malformed_is_refused():
            return base.parse_events(self, request)

    members = {"run_validators": run_validators, "parse_events": parse_events}
    view: Any = type(base.__name__, (base,), members)
    return view.as_view()  # type: ignore[no-any-return]


@contextmanager
def _malformed_is_refused() -> Iterator[None]:
    try:
        yield
    except AnymailWebhookValidationFailure:
        raise
    except (
        *(AnymailError, AnymailConfigurationError),
        *(ArithmeticError, AttributeError, LookupError, OSError),
        *(RecursionError, TypeError, ValueError),
    ) as error:
        raise AnymailWebhookValidationFailure(f"Malformed report: {error!r}"[:300]) from error


def record(event: AnymailTrackingEvent, esp_name: str, **_: Any) -> None:
    """Record what a report says about an address, as the receiver of anymail's `tracking`."""
    reason, address = reason_of(event), normalized(str(event.recipient or ""))
    is_resubscribed = event.event_type == EventType.SUBSCRIBED
    at = event.timestamp or timezone.now()
    if timezone.is_naive(at):
        at = at.replace(tzinfo=UTC)
    if not (reason or is_resubscribed) or at < timezone.now() - STALE or not _is_address(address):
        return
    with once(f"mail event {_digest(event, esp_name, address)}") as is_first:
        if not is_first:
            return
        if reason:
            detail = str(event.mta_response or event.description or "")
            Suppression.objects.record(address, reason, at=at, detail=detail)
            logger.info("Mail to an address stops: %s (%s)", reason.value, esp_name)
        else:
            unsubscribed = Suppression.objects.for_address(address)
            unsubscribed.filter(reason=Reason.UNSUBSCRIBED, occurred_at__lte=at).delete()


def reason_of(event: AnymailTrackingEvent) -> Suppression.Reason | None:
    """Return why mail to an address has to stop, or None if it need not."""
    if event.event_type == EventType.COMPLAINED:
        return Reason.COMPLAINT
    if event.event_type == EventType.UNSUBSCRIBED:
        return Reason.UNSUBSCRIBED
    if event.event_type == EventType.BOUNCED:
        is_passing = event.reject_reason in PASSING or is_soft(event.esp_event)
        return None if is_passing else Reason.BOUNCE
    if event.event_type == EventType.REJECTED:
        return {
            RejectReason.INVALID: Reason.BOUNCE,
            RejectReason.BOUNCED: Reason.BOUNCE,
            RejectReason.SPAM: Reason.COMPLAINT,
            RejectReason.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
        }.get(event.reject_reason)
    return None


def is_soft(report: Any) -> bool:
    """Return whether a bounce may be over tomorrow, such as a full mailbox.

    anymail does not tell, so this reads the reports of Amazon SES, Brevo, MailerSend, Mailjet,
    Mandrill, Postmark, Resend, SendGrid and SparkPost.
    """
    if not isinstance(report, Mapping):
        return False
    if isinstance(envelope := report.get("msys"), Mapping):  # SparkPost's
        return any(map(is_soft, envelope.values()))
    named = " ".join(str(report.get(name, "")).lower() for name in ("Type", "type", "event"))
    if any(word in named for word in PASSING_WORDS):
        return True
    data = report.get("data")
    bounce = report.get("bounce") or (data.get("bounce") if isinstance(data, Mapping) else None)
    kind = bounce if isinstance(bounce, Mapping) else {}
    return (
        report.get("hard_bounce") is False
        or bool({kind.get("bounceType"), kind.get("type")} & TRANSIENT)
        or str(report.get("bounce_class", "")) in SPARKPOST_SOFT
    )


def check(**_: Any) -> list[checks.CheckMessage]:
    """Report a provider whose reports would not be taken (`dovetail.W108`)."""
    if settings.MAIL_WEBHOOK_VIEW or not settings.MAIL_WEBHOOK_NEEDS:
        return []
    return [
        checks.Warning(
            "What the provider reports about bounces and complaints is not taken, so mail to those "
            "addresses goes on, and the provider may stop sending any.",
            hint=(
                f"Set {settings.MAIL_WEBHOOK_NEEDS}, and enter {settings.SITE_URL}/mail/events/ at "
                "the provider, as docs/mail.md says."
            ),
            id="dovetail.W108",
        )
    ]


def _is_address(address: str) -> bool:
    if len(address) > LONGEST_ADDRESS:
        return False
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def _digest(event: AnymailTrackingEvent, esp_name: str, address: str) -> str:
    parts = (esp_name, event.event_type, event.event_id, event.message_id, event.timestamp, address)
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()
