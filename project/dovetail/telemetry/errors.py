"""Errors for Sentry, and for services that speak its protocol."""

from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.consts import VERSION, EndpointType
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.otlp import OTLPIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import Dsn

from dovetail.http import request_id
from dovetail.telemetry import scrubbing
from dovetail.telemetry.exchange import current

# What these log says that a collector is down, which is no error of this site.
OWN_LOGGERS = ("opentelemetry", "sentry_sdk", "urllib3")
# What Django logs of requests that it refuses: the text is what a client has sent, and anyone can
# send as many as they like.
REFUSED = "django.security."


def start() -> None:
    """Report what the site logs as an error, and every exception that a view or a task raises."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SENTRY_ENVIRONMENT,
        release=settings.SENTRY_RELEASE,  # "" keeps the SDK from asking git
        before_send=_before_send,
        # Named one by one: others would be enabled by the packages that happen to be installed.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(signals_spans=False),
            CeleryIntegration(propagate_traces=False),
            OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False),
            LoggingIntegration(level=None),
            DedupeIntegration(),
            ExcepthookIntegration(),
            ThreadingIntegration(),
        ],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        trace_propagation_targets=[],
        auto_session_tracking=False,
    )


def stop(limit: float) -> None:
    sentry_sdk.get_client().close(timeout=limit)


def traces_endpoint(dsn: str) -> tuple[str, dict[str, str]]:
    """Return the URL at which Sentry takes spans by OTLP, and the headers to send."""
    auth = Dsn(dsn).to_auth(f"sentry.python/{VERSION}")
    return str(auth.get_api_url(EndpointType.OTLP_TRACES)), {"X-Sentry-Auth": auth.to_header()}


def _before_send(event: Event, hint: Hint) -> Event | None:
    name = str(event.get("logger") or "")
    if name.split(".", maxsplit=1)[0] in OWN_LOGGERS or name.startswith(REFUSED):
        return None
    kept: Any = scrubbing.event(
        event, messages=settings.SENTRY_MESSAGES, record=hint.get("log_record")
    )
    if identifier := request_id.current.get():
        kept["tags"]["request_id"] = identifier
    if exchange := current.get():
        request = exchange.request
        method = scrubbing.method(request.method or "") if request else "HTTP"
        kept["transaction"] = f"{method} {exchange.route}".strip()
        kept["tags"]["route"] = exchange.route
        kept["request"] = {"method": method}
        if user_id := exchange.user_id:
            kept["user"] = {"id": user_id}
    elif "celery_task_id" not in kept["tags"]:
        kept.pop("transaction", None)  # Sentry's name for a request has its path in it
    return kept  # type: ignore[no-any-return]
