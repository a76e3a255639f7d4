"""Measurements for a collector, by OTLP over HTTP."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)

from dovetail.telemetry import metrics
from dovetail.telemetry.tracing import TIMEOUT, resource


class MetricExporter(OTLPMetricExporter):
    """Names the process that exports, which may have been forked since this was created."""

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        mine = resource(os.getpid())
        data = MetricsData(
            [replace(found, resource=mine) for found in metrics_data.resource_metrics]
        )
        return super().export(data, timeout_millis, **kwargs)


class OtlpSink:
    """Sends measurements once a minute, or every OTEL_METRIC_EXPORT_INTERVAL milliseconds."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """Args: endpoint: the URL that takes metrics. headers: sent along with them."""
        reader = PeriodicExportingMetricReader(
            MetricExporter(endpoint, headers=dict(headers), timeout=TIMEOUT)
        )
        self.provider = MeterProvider(
            [reader], resource=resource(os.getpid()), shutdown_on_exit=False
        )
        self._meter = self.provider.get_meter("dovetail")
        self._requests = self._meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            explicit_bucket_boundaries_advisory=metrics.BUCKETS,
        )
        self._lookups = self._meter.create_counter("cache.lookups")
        self._gauges(metrics.GAUGES)

    def share_gauges(self) -> None:
        """Send what is measured once for the whole site, too."""
        self._gauges(metrics.SHARED_GAUGES)

    def _gauges(self, gauges: Mapping[str, tuple[str, Callable[[], metrics.Labelled]]]) -> None:
        for name, (label, measure) in gauges.items():
            self._meter.create_observable_gauge(name, [_observed(label, measure)])

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        labels: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": status,
        }
        if route:
            labels["http.route"] = route
        self._requests.record(seconds, labels)

    def lookups(self, hits: int, misses: int) -> None:
        self._lookups.add(hits, {"result": "hit"})
        self._lookups.add(misses, {"result": "miss"})

    def stop(self) -> None:
        self.provider.shutdown()


def _observed(
    label: str, measure: Callable[[], metrics.Labelled]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [
        Observation(value, labels) for value, labels in metrics.labelled(label, measure())
    ]
