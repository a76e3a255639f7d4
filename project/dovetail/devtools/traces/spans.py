"""Collected spans, as trees: one file for each export, in `settings.TRACES_DIR`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SHOWN = 500  # spans of a trace
DEEP = 12  # levels that are indented
ERROR = 2  # of a span's status
WIDTH = 1000  # of the chart, in its own unit


@dataclass
class Span:
    """A span and those below it.

    Attributes:
        start, end: in nanoseconds since 1970.
        depth: how many of its parents are known.
        left, width: its place in the chart, which is `WIDTH` wide.
    """

    name: str
    span_id: str
    parent_id: str
    start: int
    end: int
    is_error: bool
    service: str
    attributes: dict[str, Any]
    depth: int = 0
    left: int = 0
    width: int = 1
    children: list["Span"] = field(default_factory=list)

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6

    @property
    def indentation(self) -> range:
        return range(self.depth)

    @property
    def statement(self) -> str:
        return str(
            self.attributes.get("db.query.text") or self.attributes.get("db.statement") or ""
        )


@dataclass
class Trace:
    """The spans of one trace, in the order of a tree.

    Attributes:
        spans: at most `SHOWN` of them.
        hidden: how many more there are.
    """

    trace_id: str
    spans: list[Span]
    hidden: int = 0

    @property
    def name(self) -> str:
        return self.spans[0].name

    @property
    def has_error(self) -> bool:
        return any(span.is_error for span in self.spans)

    @property
    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self._start / 1e9, UTC)

    @property
    def milliseconds(self) -> float:
        return (self._end - self._start) / 1e6

    @cached_property
    def _start(self) -> int:
        return min(span.start for span in self.spans)

    @cached_property
    def _end(self) -> int:
        return max(span.end for span in self.spans)

    def place(self) -> None:
        """Compute the place of each span in the chart."""
        total = max(1, self._end - self._start)
        for span in self.spans:
            span.left = (span.start - self._start) * WIDTH // total
            span.width = max(4, (span.end - span.start) * WIDTH // total)


def traces() -> list[Trace]:
    """Return the collected traces, the newest first."""
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for trace_id, span in _all():
        by_trace[trace_id].append(span)
    found = [_trace(trace_id, spans) for trace_id, spans in by_trace.items()]
    return sorted(found, key=lambda trace: trace.started_at, reverse=True)


def find(trace_id: str) -> Trace | None:
    """Return the trace with an id in hexadecimal, or None."""
    spans = [span for of, span in _all() if of == trace_id]
    if not spans:
        return None
    trace = _trace(trace_id, spans)
    trace.place()
    return trace


def empty() -> None:
    """Delete all traces."""
    for path in settings.TRACES_DIR.glob("*.otlp"):
        path.unlink(missing_ok=True)


def _trace(trace_id: str, spans: list[Span]) -> Trace:
    by_id = {span.span_id: span for span in spans}
    roots: list[Span] = []
    for span in sorted(by_id.values(), key=lambda span: span.start):
        above = by_id.get(span.parent_id)
        (above.children if above and above is not span else roots).append(span)
    ordered: list[Span] = []
    waiting = roots[::-1]
    while waiting and len(ordered) < SHOWN:  # without recursion: a chain may be long
        span = waiting.pop()
        ordered.append(span)
        for child in reversed(span.children):
            child.depth = min(span.depth + 1, DEEP)
            waiting.append(child)
    # Spans that are each other's parents are under no root.
    return Trace(trace_id, ordered or spans[:SHOWN], len(spans) - len(ordered or spans[:SHOWN]))


def _all() -> Iterator[tuple[str, Span]]:
    for path in settings.TRACES_DIR.glob("*.otlp"):
        try:
            export = ExportTraceServiceRequest.FromString(path.read_bytes())
        except (FileNotFoundError, DecodeError):  # it has just been deleted, or is no export
            continue
        for resource in export.resource_spans:
            service = str(_values(resource.resource.attributes).get("service.instance.id", ""))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield span.trace_id.hex(), _span(span, service)


def _span(span: Any, service: str) -> Span:
    return Span(
        span.name,
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        max(span.start_time_unix_nano, span.end_time_unix_nano),
        span.status.code == ERROR,
        service,
        _values(span.attributes),
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, kind)
        for pair in pairs
        if (kind := pair.value.WhichOneof("value"))
    }
