"""Traces, metrics and errors for OpenTelemetry and Sentry; docs/observe.md is the guide.

`dovetail.telemetry.start` begins what the settings ask for. What they do not ask for costs nothing:
its packages are not imported, and the functions below return at once.

    with telemetry.span("resize picture"):
        ...

No exporter gets what a person typed or what would let someone in: see
`dovetail.telemetry.scrubbing`.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

LIMIT = 3.0  # seconds that what waits may take to be sent when a process ends


class Tracing(Protocol):
    """The functions of this module that need a trace."""

    def ids(self) -> dict[str, str]: ...

    def traceparent(self) -> str: ...

    def span(self, name: str) -> AbstractContextManager[object]: ...

    def continued(self, traceparent: str) -> AbstractContextManager[object]: ...


class Process(Protocol):
    """The telemetry of a process; tracing is None unless a place takes traces."""

    @property
    def tracing(self) -> Tracing | None: ...

    def stop(self, limit: float) -> None: ...

    def serve_metrics(self) -> None: ...


_process: Process | None = None
_tracing: Tracing | None = None
_nothing: AbstractContextManager[None] = nullcontext()


def use(process: Process) -> None:
    """Have the functions below use the telemetry of this process, which has started."""
    global _process, _tracing
    _process, _tracing = process, process.tracing


def is_started() -> bool:
    return _process is not None


def stop(limit: float = LIMIT) -> None:
    """Send what waits, for at most `limit` seconds, and end the telemetry of this process."""
    if _process is not None:
        _process.stop(limit)


def serve_metrics() -> None:
    """Serve the page of metrics from this process, unless another one here does already."""
    if _process is not None:
        _process.serve_metrics()


def ids() -> dict[str, str]:
    """Return `trace_id` and `span_id` of what runs here, in hexadecimal; {} without a trace."""
    return _tracing.ids() if _tracing else {}


def traceparent() -> str:
    """Return the header that continues the current trace elsewhere (W3C); "" if there is none."""
    return _tracing.traceparent() if _tracing else ""


def span(name: str) -> AbstractContextManager[object]:
    """Return a context that appears in the trace of the request or task that runs here, if any.

    Args:
        name: a fixed text, without a word from a person.
    """
    return _tracing.span(name) if _tracing else _nothing


def continued(traceparent: str) -> AbstractContextManager[object]:
    """Return a context whose spans belong to the trace that `traceparent()` was called in."""
    return _tracing.continued(traceparent) if _tracing and traceparent else _nothing
