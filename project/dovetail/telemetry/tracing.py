"""Spans of OpenTelemetry: what makes them, and where they go."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

from django.conf import settings
from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dovetail.telemetry import scrubbing
from dovetail.telemetry.sampling import EntrySampler

TIMEOUT = 5  # seconds for a collector to take what it is sent
# Spans that wait to be sent. When there are more, as while a collector is down, they are dropped.
MAX_WAITING = 2048
HEADER = "traceparent"


@cache
def resource(process_id: int) -> Resource:
    """Return what all spans and measurements of a process have in common.

    Args:
        process_id: tells the processes apart, also those that were forked from one another.
    """
    return Resource.create(
        {
            "service.name": settings.OTEL_SERVICE_NAME,
            "service.instance.id": f"{os.uname().nodename}-{process_id}",
            "deployment.environment.name": settings.SENTRY_ENVIRONMENT,
        }
    )


class SpanExporter(OTLPSpanExporter):
    """Sends spans by OTLP over HTTP, without what `dovetail.telemetry.scrubbing` keeps back."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([scrubbed(span) for span in spans])


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of a span without personal data."""
    of_request = span.kind in {SpanKind.SERVER, SpanKind.INTERNAL}
    return ReadableSpan(
        span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=resource(os.getpid()),
        attributes=scrubbing.attributes(span.attributes, of_request=of_request),
        events=[
            Event(event.name, scrubbing.attributes(event.attributes), event.timestamp)
            for event in span.events
        ],
        links=[trace.Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),  # its description is what an error says
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class Tracing:
    """The spans of this process.

    Spans come from OpenTelemetry's packages for Celery, psycopg, redis and urllib3 (which requests
    and boto3 use), from `with_telemetry` and from `dovetail.telemetry.span`.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """Args: endpoint: the URL that takes spans. headers: sent along with them."""
        # The names that OpenTelemetry has declared stable, where its packages know two.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
        self.provider = TracerProvider(
            sampler=EntrySampler(settings.OTEL_TRACES_SAMPLER_ARG),
            resource=resource(os.getpid()),
            shutdown_on_exit=False,  # it would wait for half a minute; `Process.stop` does not
        )
        self.provider.add_span_processor(
            BatchSpanProcessor(
                SpanExporter(endpoint, headers=dict(headers), timeout=TIMEOUT),
                max_queue_size=MAX_WAITING,
            )
        )
        trace.set_tracer_provider(self.provider)
        # Without "baggage", in which a visitor could send something on to other services.
        self._propagator = TraceContextTextMapPropagator()
        propagate.set_global_textmap(self._propagator)
        self._tracer = self.provider.get_tracer("dovetail")
        _instrument()

    def ids(self) -> dict[str, str]:
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return {}
        return {
            "trace_id": format_trace_id(found.trace_id),
            "span_id": format_span_id(found.span_id),
        }

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(HEADER, "")

    def span(self, name: str) -> AbstractContextManager[object]:
        if not trace.get_current_span().get_span_context().is_valid:
            return nullcontext()
        return self._tracer.start_as_current_span(name)

    @contextmanager
    def continued(self, traceparent: str) -> Iterator[None]:
        token = context.attach(self._propagator.extract({HEADER: traceparent}))
        try:
            yield
        finally:
            context.detach(token)

    def stop(self) -> None:
        self.provider.shutdown()


def _instrument() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor  # noqa: PLC0415

    PsycopgInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    RedisInstrumentor().instrument()
    URLLib3Instrumentor().instrument()
