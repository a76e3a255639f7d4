"""A collector for OTLP over HTTP and for Sentry's envelopes, which keeps all that it gets."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIMIT = 60  # seconds
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


@dataclass(frozen=True)
class Span:
    """A span as it arrived; its ids are in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    is_error: bool


@dataclass
class Receiver:
    """What has arrived, and where to send it.

    Attributes:
        url: of the server.
        requests: pairs of a path and an uncompressed body.
        headers: those of all requests, as text.
    """

    url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def dsn(self) -> str:
        return f"{self.url.replace('://', '://public-key@')}/1"

    @property
    def everything(self) -> bytes:
        """All bytes that have been received from exporters."""
        with self.arrived:
            return b"\n".join(body for path, body in self.requests if path != "/echo")

    @property
    def spans(self) -> list[Span]:
        return [
            _span(span, resource.resource.attributes)
            for resource in self._messages("/v1/traces", ExportTraceServiceRequest, "spans")
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest data points of each metric."""
        return {
            metric.name: metric
            for resource in self._messages("/v1/metrics", ExportMetricsServiceRequest, "metrics")
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in envelopes (https://develop.sentry.dev/sdk/data-model/envelopes/)."""
        found = []
        with self.arrived:
            bodies = [body for path, body in self.requests if path.endswith("/envelope/")]
        for body in bodies:
            lines = body.split(b"\n")
            for header, payload in zip(lines[1::2], lines[2::2], strict=False):
                if header and json.loads(header).get("type") == "event":
                    found.append(json.loads(payload))
        return found

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        with self.arrived:
            assert self.arrived.wait_for(condition, LIMIT), what

    def _messages(self, path: str, kind: type[Message], what: str) -> Iterator[Any]:
        with self.arrived:
            bodies = [body for sent_to, body in self.requests if sent_to.rstrip("/").endswith(path)]
        for body in bodies:
            message = kind()
            message.ParseFromString(body)
            yield from getattr(message, f"resource_{what}")


def _span(span: Any, resource: Any) -> Span:
    return Span(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        _values(span.attributes),
        _values(resource),
        is_error=span.status.code == 2,
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def receiver(*, hangs: bool = False) -> Iterator[Receiver]:
    """Run a receiver. If it hangs, it accepts requests and never answers."""
    kept = Receiver()
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = DECODERS[self.headers.get("Content-Encoding", "")](body)
            with kept.arrived:
                kept.requests.append((self.path.partition("?")[0], body))
                kept.headers.append(str(self.headers))
                kept.arrived.notify_all()
            if hangs:
                released.wait(LIMIT)
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        kept.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield kept
        finally:
            released.set()
            server.shutdown()
            thread.join()
