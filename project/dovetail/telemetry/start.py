"""Starts the telemetry of a process, and loads it only if the settings ask for any."""

from django.conf import settings

from dovetail import telemetry


def is_on() -> bool:
    """Return whether the settings ask for any telemetry."""
    return is_tracing() or bool(settings.METRICS_PORT)


def is_tracing() -> bool:
    """Return whether the settings name a place that takes traces."""
    return bool(settings.SENTRY_DSN or settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def start() -> None:
    """Start what the settings ask for, once; `DovetailConfig.ready` does."""
    if telemetry.is_started() or not is_on():
        return
    from dovetail.telemetry.process import Process  # noqa: PLC0415 - heavy, and seldom needed

    telemetry.use(Process())
