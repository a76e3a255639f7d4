"""What leaves a site whose requests, tasks and errors are full of secrets."""

import re
from typing import Any

from dovetail.devtools.embedded.testing import free_port
from tests.config.test_settings import MORE
from tests.dovetail.telemetry.conftest import Probe, request
from tests.dovetail.telemetry.receiver import Receiver, Span, receiver

TRACE, PARENT = "5bd0c4e1f2a34b5c8d7e6f5061728394", "00f067aa0ba902b7"
SECRET, EMAIL = "planted-xK49qZ", "ada.lovelace@private.example"
SECRETS = (SECRET, EMAIL, "ada.lovelace", "918273645", "planted", "203.0.113.9")
VIEWS = "tests.dovetail.telemetry.site.views"
HOSTILE = {
    "Authorization": f"Bearer {SECRET}",
    "Cookie": f"__Host-sessionid={SECRET}; theme={SECRET}",
    "User_Agent": f"Browser {SECRET}",
    "Referer": f"https://site.example/{SECRET}",
    "X_Api_Key": SECRET,
    "tracestate": f"vendor={SECRET}",
    "baggage": f"user={EMAIL}",
}


def test_one_trace_without_secrets_goes_to_each_exporter(probe: Probe) -> None:
    """Kind: all exporters at once, since each start of a site takes seconds."""
    with receiver() as received:
        printed = probe(
            request(
                "POST",
                f"/announce/{SECRET}/?token={SECRET}",
                f"email={EMAIL}",
                traceparent=f"00-{TRACE}-{PARENT}-01",
                **HOSTILE,
            ),
            request("GET", f"/failure/{SECRET}/?email={EMAIL}", **HOSTILE),
            request("GET", f"/{SECRET}/{EMAIL}/", **HOSTILE),
            request("GET", "/livez", **HOSTILE),
            tasks=["announce", "fail"],
            OTEL_EXPORTER_OTLP_ENDPOINT=received.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=of%20ours",
            SENTRY_DSN=received.dsn,
            METRICS_PORT=str(free_port()),
            ECHO_URL=received.url,
            secrets=SECRETS,
        )

    assert printed[:4] == ["204", "500", "404", "200"]
    _check_trace(received.spans)
    _check_names(received.spans)
    _check_events(received)
    _check_metrics(received.metrics)
    _check_page(printed[4:-1])
    assert any("x-key: of ours" in headers.lower() for headers in received.headers)
    leaks = [secret for secret in SECRETS if secret.encode() in received.everything]
    assert not leaks, [
        (path, body) for path, body in received.requests if any(s.encode() in body for s in leaks)
    ]


@MORE
def test_sentry_alone_gets_traces_and_what_errors_say_if_it_may(probe: Probe) -> None:
    with receiver() as received:
        probe(
            request("GET", f"/failure/{SECRET}/?email={EMAIL}"),
            tasks=["fail"],
            SENTRY_DSN=received.dsn,
            SENTRY_MESSAGES="true",
            SENTRY_RELEASE="1.2",
        )

    paths = {path for path, _ in received.requests}
    assert paths == {"/api/1/envelope/", "/api/1/integration/otlp/v1/traces/"}
    assert "GET /failure/<str:secret>/" in {span.name for span in received.spans}
    said = [event["exception"]["values"][-1]["value"] for event in received.events[2:]]
    assert sorted(said) == [
        f"{EMAIL} cannot be greeted with {SECRET}",
        f"{EMAIL} is not known to {SECRET}",
    ]
    assert {event["release"] for event in received.events} == {"1.2"}
    assert any("sentry_key=public-key" in headers for headers in received.headers)


def _check_trace(spans: list[Span]) -> None:
    """Kind: from the browser to the request, to SQL, to the task, to SQL, to the broadcast."""
    trace = {span.span_id: span for span in spans if span.trace_id == TRACE}

    def path(span: Span) -> list[str]:
        above = trace.get(span.parent_id)
        return [*(path(above) if above else [span.parent_id]), span.name]

    paths = [path(span) for span in trace.values()]
    entry = [PARENT, "POST /announce/<str:secret>/"]
    assert entry in paths
    assert any(p[:2] == entry and p[2].startswith("SELECT") for p in paths), paths
    assert [*entry, "POST"] in paths, "outgoing HTTP"
    task = [*entry, "apply_async/tests.dovetail.telemetry.site.tasks.announce"]
    task.append("run/tests.dovetail.telemetry.site.tasks.announce")
    assert task in paths, paths
    assert any(p[:4] == task and p[4].startswith("SELECT") for p in paths if len(p) > 4), paths
    assert [*task, "broadcast"] in paths, paths


def _check_names(spans: list[Span]) -> None:
    requests = [span for span in spans if span.kind == 2]
    assert sorted(span.name for span in requests) == [
        "GET",  # a path that does not exist
        "GET /failure/<str:secret>/",
        "POST /announce/<str:secret>/",
    ]
    assert {span.attributes["http.response.status_code"] for span in requests} == {204, 404, 500}
    statements = {
        span.attributes["db.query.text"] for span in spans if "db.query.text" in span.attributes
    }
    assert any('WHERE "users_user"."email" = %s' in sql for sql in statements), statements
    assert not [s for s in spans if not s.parent_id and s.kind == 3], "of pools, without a parent"


def _check_events(received: Receiver) -> None:
    events = {
        (event.get("exception") or {}).get("values", [{}])[-1].get("type", "log"): event
        for event in received.events
    }
    assert sorted(events) == ["LookupError", "ValueError", "log"]
    assert len(received.events) == 4
    traces = {span.name: span.trace_id for span in received.spans}
    for kind in ("ValueError", "log"):
        event = events[kind]
        assert event["transaction"] == "GET /failure/<str:secret>/"
        assert event["tags"]["request_id"] == "request-7"
        assert event["contexts"]["trace"]["trace_id"] == traces["GET /failure/<str:secret>/"]
    said = [event["logentry"]["message"] for event in received.events if "logentry" in event]
    assert said[0] == "Could not greet %s of %s"
    assert re.fullmatch(f"{VIEWS}: failure, line [0-9]+ of views.py", said[1])
    frame = events["ValueError"]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["function"] == "failure"
    assert "raise ValueError" in frame["context_line"]
    task = events["LookupError"]
    assert task["transaction"] == "tests.dovetail.telemetry.site.tasks.fail"
    assert task["contexts"]["trace"]["trace_id"] == traces["GET /failure/<str:secret>/"]
    assert task["tags"]["celery_task_id"]


def _check_metrics(metrics: dict[str, Any]) -> None:
    points = metrics["http.server.request.duration"].histogram.data_points
    found = {
        tuple(getattr(a.value, a.value.WhichOneof("value")) for a in point.attributes): point.count
        for point in points
    }
    assert found == {
        ("POST", 204, "/announce/<str:secret>/"): 1,
        ("GET", 500, "/failure/<str:secret>/"): 1,
        ("GET", 404): 1,
    }
    lookups = {
        point.attributes[0].value.string_value: point.as_int
        for point in metrics["cache.lookups"].sum.data_points
    }
    assert lookups["hit"] >= 1
    assert lookups["miss"] >= 1
    waiting = metrics["tasks.waiting"].gauge.data_points
    assert {"default", "mail"} <= {point.attributes[0].value.string_value for point in waiting}
    assert "db.client.connection.count" in metrics
    assert "websocket.connections" in metrics


def _check_page(lines: list[str]) -> None:
    assert (
        'http_server_request_duration_seconds_count{http_request_method="GET",'
        'http_response_status_code="500",http_route="/failure/<str:secret>/"}=1.0'
    ) in lines
    assert any(line.startswith('cache_lookups_total{result="miss"}=') for line in lines)
    assert 'tasks_waiting{queue="bulk"}=0.0' in lines
    assert "websocket_connections=0.0" in lines
    assert any(line.startswith('db_client_connection_count{state="idle"}=') for line in lines)


def test_refused_requests_are_not_reported() -> None:
    """Kind: a host that a stranger has made up, as often as they like, and its text with it."""
    from dovetail.telemetry import errors  # noqa: PLC0415 - loads the packages of the extra

    assert errors._before_send({"logger": "django.security.DisallowedHost"}, {}) is None  # noqa: SLF001
