"""The ASGI application that traces and measures requests."""

import time
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings

from dovetail.http import health
from dovetail.http.access_log import CLIENT_GONE
from dovetail.http.lifespan import Application, Receive, Scope, Send
from dovetail.telemetry.start import is_on, is_tracing


def with_telemetry(application: Application) -> Application:
    """Return an ASGI application that traces and measures requests, if the settings ask for it.

    Place it outermost. Probes, static files and WebSockets, which last for hours, are left out.
    """
    if not is_on():
        return application
    measured = _with_measurements(application)
    if is_tracing():
        measured = _with_spans(measured)
    static = "/" + (settings.STATIC_URL or "static/").lstrip("/")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        skipped = scope["type"] != "http" or (
            scope["path"] in health.PATHS or scope["path"].startswith(static)
        )
        await (application if skipped else measured)(scope, receive, send)

    return answer


def _with_spans(application: Application) -> Application:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415
    from opentelemetry.metrics import NoOpMeterProvider  # noqa: PLC0415

    from dovetail.telemetry import scrubbing  # noqa: PLC0415

    traced: Any = OpenTelemetryMiddleware(
        application,
        # By default, the path, which has secrets in it, would be the name.
        default_span_details=lambda scope: (scrubbing.method(scope["method"]), {}),
        exclude_spans=["send", "receive"],
        meter_provider=NoOpMeterProvider(),  # its measurements do not know the route
    )
    return cast("Application", traced)


def _with_measurements(application: Application) -> Application:
    from dovetail.telemetry import metrics, scrubbing  # noqa: PLC0415
    from dovetail.telemetry.exchange import Exchange, current  # noqa: PLC0415

    name_span = _span_namer()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        method = scrubbing.method(scope["method"])
        exchange, status = Exchange(scope["path"]), 0
        token = current.set(exchange)

        async def send_measured(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                name_span(method, exchange.route)
            await send(message)

        try:
            await application(scope, receive, send_measured)
        except Exception:
            status = status or 500
            raise
        finally:
            current.reset(token)
            seconds = time.perf_counter() - began
            metrics.request(method, exchange.route, status or CLIENT_GONE, seconds)

    return answer


def _span_namer() -> Any:
    if not is_tracing():
        return lambda _method, _route: None
    from opentelemetry import trace  # noqa: PLC0415

    def name(method: str, route: str) -> None:
        span = trace.get_current_span()
        if route and span.is_recording():
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)

    return name
