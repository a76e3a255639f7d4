"""The web server and a worker as the image starts them, with a collector."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.embedded.testing import free_port, throwaway_valkey
from tests.cable.servers import wait_until
from tests.cable.websocket import RawSocket
from tests.config.test_asgi import web
from tests.config.test_settings import MORE, PRODUCTION
from tests.dovetail.telemetry.conftest import HEADERS, Probe, request
from tests.dovetail.telemetry.receiver import Span, receiver

TRACE, PARENT = "5bd0c4e1f2a34b5c8d7e6f5061728394", "00f067aa0ba902b7"
TASK = "tests.dovetail.telemetry.site.tasks.announce"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STREAM = json.dumps({"channel": "TelemetryScoreChannel"})
ENOUGH = 6  # seconds; the limit of `telemetry.stop` and what a busy machine adds


@contextmanager
def worker(log: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a Celery worker that forks, and stop it as a deployment does."""
    command = ["-m", "celery", "-A", "config.celery", "worker", "--concurrency", "1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--loglevel", "INFO", "--without-mingle"],
            cwd=settings.PROJECT_DIR,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: b"ready." in log.read_bytes(), "the worker is ready")
        yield
    finally:
        process.terminate()
        process.wait(60)


def send(client: HTTPConnection, method: str, path: str, body: str = "", **headers: str) -> int:
    client.request(method, path, body, HEADERS | headers | (FORM if body else {}))
    response = client.getresponse()
    response.read()
    return response.status


def page(port: int) -> str:
    """Return the page for Prometheus, "" if nothing serves it."""
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request("GET", "/metrics")
        return client.getresponse().read().decode()
    except ConnectionError:
        return ""


def follow(client: HTTPConnection) -> RawSocket:
    """Open a socket that follows what the task broadcasts."""
    opened = RawSocket(
        f"http://{client.host}:{client.port}",
        headers={
            "host": "site.example",
            "origin": "https://site.example",
            "x-forwarded-proto": "https",
        },
    )
    assert opened.receive() == {"type": "welcome"}
    opened.command("subscribe", STREAM)
    assert (opened.receive() or {})["type"] == "confirm_subscription"
    return opened


@MORE
@pytest.mark.usefixtures("transactional_db")
@pytest.mark.xdist_group("waits")
def test_one_trace_from_the_browser_to_the_broadcast(
    site_environment: dict[str, str], tmp_path: Path
) -> None:
    """Kind: processes that end right afterward, which must send what they have first."""
    port = free_port()
    with receiver() as received, throwaway_valkey() as valkey:
        environment = site_environment | {
            "VALKEY_URL": f"{valkey}/0",
            "CELERY_BROKER_URL": f"{valkey}/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "SENTRY_DSN": received.dsn,
            "METRICS_PORT": str(port),
            "PORT": str(free_port()),
        }
        log = tmp_path / "worker.log"
        with ExitStack() as stack:
            stop_worker = stack.enter_context(ExitStack())
            stop_worker.enter_context(worker(log, environment))
            client = stack.enter_context(web(tmp_path / "web.log", environment))
            socket = follow(client)
            traceparent = f"00-{TRACE}-{PARENT}-01"
            path = "/announce/secret/"
            assert send(client, "POST", path, "email=a@b.example", traceparent=traceparent) == 204
            assert (socket.receive() or {})["message"] == {"secret": "secret"}
            assert send(client, "GET", "/failure/secret/?email=a@b.example") == 500
            wait_until(lambda: b"LookupError" in log.read_bytes(), "the task has failed")
            metrics = page(port)
            stop_worker.close()  # which has served the page, because it started first
            wait_until(lambda: page(port), "the web server serves the page")
            later = page(port)
            socket.close()

    assert chain(received.spans) == [
        ("POST /announce/<str:secret>/", "web"),
        (f"apply_async/{TASK}", "worker"),  # by the task of the outbox
        (f"run/{TASK}", "worker"),
        ("broadcast", "worker"),
        ("deliver", "web"),
    ]
    trace = [span for span in received.spans if span.trace_id == TRACE]
    by_id = {span.span_id: span.name for span in trace}
    sql = {by_id[span.parent_id] for span in trace if span.name.startswith("SELECT")}
    assert {"POST /announce/<str:secret>/", f"run/{TASK}"} <= sql
    assert {event["transaction"] for event in received.events} == {
        "GET /failure/<str:secret>/",
        TASK.replace("announce", "fail"),
    }
    assert 'http_route="/announce/<str:secret>/"} 1.0' in metrics
    assert "websocket_connections" in metrics
    assert 'tasks_waiting{queue="default"} 0.0' in metrics
    assert 'http_route="/announce/<str:secret>/"} 1.0' in later


def chain(spans: list[Span]) -> list[tuple[str, str]]:
    """Return the spans from the browser's down to the delivery, with the kind of their process."""
    trace = {span.span_id: span for span in spans if span.trace_id == TRACE}
    servers = {span.resource["service.instance.id"] for span in spans if span.kind == 2}
    (span,) = [span for span in trace.values() if span.name == "deliver"]
    found = []
    while True:
        is_web = span.resource["service.instance.id"] in servers
        found.append((span.name, "web" if is_web else "worker"))
        if span.parent_id == PARENT:
            return found[::-1]
        span = trace[span.parent_id]


@MORE
@pytest.mark.xdist_group("waits")
@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "is down"])
def test_collector_that_does_not_answer_costs_seconds_at_most_at_the_end(
    probe: Probe, *, hangs: bool
) -> None:
    calls = [request("GET", f"/hello/{number}/") for number in range(50)]
    with receiver(hangs=hangs) as received:
        url = received.url if hangs else f"http://127.0.0.1:{free_port()}"
        began = time.monotonic()
        *statuses, seconds = probe(
            *calls,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            SENTRY_DSN=f"{url.replace('://', '://key@')}/1",
            OTEL_BSP_SCHEDULE_DELAY="50",  # so that an export hangs while requests are served
        )
        took = time.monotonic() - began

    assert statuses == ["200"] * len(calls)
    assert float(seconds) < ENOUGH
    assert took < ENOUGH * 5, "the process did not end by itself"


def test_nothing_is_loaded_without_settings() -> None:
    """Kind: an import too many. With the extra installed, redis-py loads a part of it itself."""
    code = (
        "import sys, config.asgi, dovetail.telemetry as t\n"
        "heavy = {'sentry_sdk', 'opentelemetry.exporter', 'prometheus_client',\n"
        " 'opentelemetry.instrumentation', 'opentelemetry.sdk.trace', 'google.protobuf'}\n"
        "print(sorted(heavy & set(sys.modules)), t.ids(), repr(t.traceparent()))\n"
        "print(sorted(name for name in sys.modules if name.startswith('dovetail.telemetry.')))\n"
        "from django.conf import settings\n"
        "print([name for name in settings.MIDDLEWARE if 'telemetry' in name])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=PRODUCTION
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "PYTHONPATH": str(settings.PROJECT_DIR),
            "ENV_FILE": os.devnull,
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "[] {} ''",
        "['dovetail.telemetry.asgi', 'dovetail.telemetry.start']",
        "[]",
    ]
