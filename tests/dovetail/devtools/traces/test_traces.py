import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import Settings

from dovetail.devtools.traces import collector

pytestmark = pytest.mark.django_db

TRACE = "5bd0c4e1f2a34b5c8d7e6f5061728394"
SECOND = 10**9  # nanoseconds
NOW = 1_790_000_000 * SECOND


@pytest.fixture(autouse=True)
def traces_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.DEBUG = True
    settings.TRACES_DIR = tmp_path / "traces"
    return tmp_path / "traces"


@pytest.fixture
def server(traces_dir: Path) -> Iterator[str]:
    with collector.Collector(0, traces_dir, "key") as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def export(*spans: tuple[str, int, int, int], trace: str = TRACE) -> bytes:
    """Return an export of spans: the name, the id, that of the parent, and the end in seconds."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for name, number, parent, end in spans:
        span = scope.spans.add(
            name=name,
            trace_id=bytes.fromhex(trace),
            span_id=number.to_bytes(8),
            parent_span_id=parent.to_bytes(8) if parent else b"",
            start_time_unix_nano=NOW + number,
            end_time_unix_nano=NOW + end * SECOND,
        )
        statement = span.attributes.add(key="db.query.text")
        statement.value.string_value = f"SELECT <{name}>"
    return bytes(request.SerializeToString())


def send(url: str, body: bytes, key: str = "key", path: str = "/v1/traces") -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(f"{url}{path}", body, headers=headers, timeout=30).status_code


def test_collected_trace_is_shown_as_a_tree(client: Client, server: str) -> None:
    # Children often arrive before their parents, from another process.
    assert send(server, export(("run task", 3, 2, 4), ("SELECT", 2, 1, 1))) == 200
    assert send(server, export(("GET /", 1, 0, 2))) == 200

    page = client.get("/dev/traces/").text
    assert "GET /" in page
    assert "4000.0 ms, 3 spans" in page

    page = client.get(f"/dev/traces/{TRACE}/").text
    assert page.index(">GET /<") < page.index("</span>SELECT<") < page.index("</span>run task<")
    assert "SELECT &lt;GET /&gt;" in page
    assert '<rect x="0" width="499" height="6" class="fill-primary"/>' in page  # of 1000
    assert " style=" not in page


def test_only_clients_with_the_key_are_heard(server: str, traces_dir: Path) -> None:
    assert send(server, export(), "guess") == 401
    assert send(server, export(), path="/v1/other") == 404
    assert send(server, export(), path="/v1/metrics") == 200
    assert list(traces_dir.iterdir()) == []


def test_oldest_are_deleted(traces_dir: Path) -> None:
    with collector.Collector(0, traces_dir, "key") as server:
        for _ in range(collector.KEPT + 5):
            server.save(b"")
    assert len(list(traces_dir.iterdir())) == collector.KEPT


def test_large_export_is_refused(server: str) -> None:
    headers = {"Authorization": "Bearer key", "Content-Length": str(collector.MAX_BODY + 1)}
    assert requests.post(f"{server}/v1/traces", headers=headers, timeout=30).status_code == 413


def test_odd_files_and_spans_do_no_harm(client: Client, traces_dir: Path) -> None:
    """Kind: half a file, and spans that are each other's parents, which have no root."""
    traces_dir.mkdir()
    (traces_dir / "1.otlp").write_bytes(b"\xff\xff")
    (traces_dir / "2.otlp").write_bytes(export(("a", 1, 2, 1), ("b", 2, 1, 1), ("c", 3, 3, 1)))

    assert "1 span" in client.get("/dev/traces/").text
    assert client.get(f"/dev/traces/{TRACE}/").status_code == 200
    assert client.get("/dev/traces/unknown/").status_code == 404


def test_traces_can_be_deleted(client: Client, traces_dir: Path) -> None:
    traces_dir.mkdir()
    (traces_dir / "1.otlp").write_bytes(export(("a", 1, 0, 1)))
    assert client.get("/dev/traces/emptying/").status_code == 405

    page = client.post("/dev/traces/emptying/", follow=True).text

    assert "Deleted all traces." in page
    assert "Tracing is off" in page


def test_pages_are_for_development_only(client: Client, settings: Settings) -> None:
    settings.DEBUG = False
    for path in ("", f"{TRACE}/", "emptying/"):
        assert client.get(f"/dev/traces/{path}").status_code == 404
