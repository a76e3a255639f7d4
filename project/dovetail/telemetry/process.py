"""The telemetry of one process, from its start to its end."""

import atexit
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import signals
from django.conf import settings

from dovetail.telemetry import LIMIT

if TYPE_CHECKING:  # imported below, if the settings ask for them
    from dovetail.telemetry.otlp_metrics import OtlpSink
    from dovetail.telemetry.tracing import Tracing


class Process:
    """Whatever the settings ask for.

    Threads of exporters that exist when a Celery worker forks are started again in its children, by
    the packages themselves.

    Attributes:
        tracing: None unless a place takes traces.
    """

    def __init__(self) -> None:
        self.tracing: Tracing | None = None
        self._otlp: OtlpSink | None = None
        self._serves_metrics = False
        self._stopped = 0  # in which process; a fork of it is another one
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT or settings.SENTRY_DSN:
            self._start_tracing()
        if settings.SENTRY_DSN:
            from dovetail.telemetry import errors  # noqa: PLC0415

            errors.start()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT or settings.METRICS_PORT:
            self._start_metrics()
        atexit.register(self.stop)
        # The children of a worker skip what runs at exit.
        signals.worker_process_shutdown.connect(self._on_worker_shutdown)
        signals.worker_ready.connect(self._on_worker_ready)

    def _start_tracing(self) -> None:
        from dovetail.telemetry.tracing import Tracing  # noqa: PLC0415

        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            self.tracing = Tracing(_endpoint("traces"), settings.OTEL_EXPORTER_OTLP_HEADERS)
        else:
            from dovetail.telemetry.errors import traces_endpoint  # noqa: PLC0415

            self.tracing = Tracing(*traces_endpoint(settings.SENTRY_DSN))

    def _start_metrics(self) -> None:
        from dovetail.telemetry import metrics  # noqa: PLC0415

        metrics.watch_connections()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            from dovetail.telemetry.otlp_metrics import OtlpSink  # noqa: PLC0415

            self._otlp = OtlpSink(_endpoint("metrics"), settings.OTEL_EXPORTER_OTLP_HEADERS)
            metrics.sinks.append(self._otlp)
        if settings.METRICS_PORT:
            from dovetail.telemetry import prometheus  # noqa: PLC0415

            prometheus.remove_old()
            metrics.sinks.append(prometheus.PrometheusSink())

    def serve_metrics(self) -> None:
        """Serve the page for Prometheus, if the settings ask for it."""
        if settings.METRICS_PORT and not self._serves_metrics:
            self._serves_metrics = True
            from dovetail.telemetry import prometheus  # noqa: PLC0415

            prometheus.start_metrics_server()

    def stop(self, limit: float = LIMIT) -> None:
        """Send what waits, once. A collector that hangs is waited for `limit` seconds."""
        if self._stopped == os.getpid():
            return
        self._stopped = os.getpid()
        ends: list[Callable[[], None]] = []
        if self.tracing:
            ends.append(self.tracing.stop)
        if self._otlp:
            ends.append(self._otlp.stop)
        if settings.SENTRY_DSN:
            from dovetail.telemetry import errors  # noqa: PLC0415

            ends.append(partial(errors.stop, limit))
        # At the same time, and in daemon threads, which the end of the process does not wait for.
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        until = time.monotonic() + limit
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0, until - time.monotonic()))

    def _on_worker_shutdown(self, **_: Any) -> None:
        self.stop()

    def _on_worker_ready(self, **_: Any) -> None:
        """Measure what is common to the whole site in workers, of which there are few."""
        if self._otlp:
            self._otlp.share_gauges()
        self.serve_metrics()


def _endpoint(signal: str) -> str:
    return f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/{signal}"
