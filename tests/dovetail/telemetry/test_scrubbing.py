import asyncio
import logging
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from psycopg import sql

from dovetail.telemetry import scrubbing
from dovetail.telemetry.tracing import scrubbed


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        (
            'SELECT "a"."id" FROM "a" WHERE "a"."b" = %s',
            'SELECT "a"."id" FROM "a" WHERE "a"."b" = %s',
        ),
        ("SELECT 'secret', 'it''s secret', 7", "SELECT ?, ??, ?"),
        ("SELECT E'\\'secret', 'secret'", "SELECT E?"),
        ("SELECT 1 -- don't\nFROM t WHERE a = 'secret'", "SELECT ? \nFROM t WHERE a = ?"),
        ("SELECT /* user's /* secret */ ' */ 'secret'", "SELECT   ?"),
        ("SELECT 1 /* secret", "SELECT ?  "),
        ("""SELECT * AS "it's" WHERE a = 'secret'""", """SELECT * AS "it's" WHERE a = ?"""),
        ("""SELECT "a""b'" WHERE a = 'secret'""", """SELECT "a""b'" WHERE a = ?"""),
        ("""SELECT '"', 'secret', "a 1" """, """SELECT ?, ?, "a 1" """),
        ("SELECT -- note\r 'one\nsecret'", "SELECT \r ?"),
        ("SELECT 'a--', 'secret' -- 'secret", "SELECT ?, ? "),
        ("SELECT 'a\\', 'secret'", "SELECT ?"),
        ('SELECT "unfinished secret', "SELECT ?"),
        ("SELECT 'unfinished secret", "SELECT ?"),
        ("SELECT $$secret$$", "SELECT ?"),
        ("SELECT $tag$secret$tag$, 1", "SELECT ?"),
        ("LIMIT 21 OFFSET 1e5", "LIMIT ? OFFSET ?"),
        ('SELECT "column1" FROM "t2"', 'SELECT "column1" FROM "t2"'),
    ],
)
def test_statement_has_no_values(statement: str, kept: str) -> None:
    assert scrubbing.statement(statement) == kept


@given(st.text())
def test_value_that_psycopg_quotes_does_not_leave(text: str) -> None:
    value = f"{text}planted{text}"
    literal = sql.Literal(value.replace("\0", "")).as_string().encode("utf-8", "replace").decode()

    assert "planted" not in scrubbing.statement(f"SELECT {literal}, {literal}")


PIECES = ["--'\n", "/*'*/", "/*/*\"*/'*/", '"\'"', '"$$"', "'\"'", "'--'", "'/*'", "''", "a", "1"]


@given(st.lists(st.sampled_from(PIECES)))
def test_value_does_not_leave_whatever_is_before_it(before: list[str]) -> None:
    """Kind: a mark in a comment, a name or a value, which is taken for the beginning of another."""
    assert "planted" not in scrubbing.statement(f"SELECT {' '.join(before)} 'planted'")


@pytest.mark.parametrize("part", ["'", '"', "/*", "$", "$a", "--", "/*\n*/", "''", "1.", "-", "a"])
def test_statement_of_any_length_takes_linear_time(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "LONGEST", 10**7)
    began = time.process_time()

    scrubbing.statement(part * 200_000)

    assert time.process_time() - began < 5


@pytest.mark.parametrize("kind", list(SpanKind))
def test_attribute_that_is_not_listed_does_not_leave(kind: SpanKind) -> None:
    """Kind: the attributes of other versions of OpenTelemetry's packages, and what errors say."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("name", kind=kind) as span:
        span.set_attribute("url.full", "https://site.example/planted?planted")
        span.set_attribute("db.statement.parameters", "planted")
        span.set_attribute("http.route", "/<str:key>/")
        span.set_attribute("db.statement", "SELECT 'planted'")
        span.record_exception(ValueError("planted"))
        span.set_status(Status(StatusCode.ERROR, "planted"))
    (finished,) = exporter.get_finished_spans()

    found = scrubbed(finished)

    assert "planted" in finished.to_json()
    assert "planted" not in found.to_json()
    assert dict(found.attributes or {}) == {
        "http.route": "/<str:key>/",
        "db.statement": "SELECT ?",
    }
    assert [dict(event.attributes or {}) for event in found.events] == [
        {"exception.type": "ValueError"}
    ]
    assert found.context == finished.context
    assert not found.status.is_ok


def test_host_that_a_client_asks_for_does_not_leave() -> None:
    attributes = {"server.address": "planted.example"}

    assert scrubbing.attributes(attributes, of_request=True) == {}
    assert scrubbing.attributes(attributes) == attributes


EVENT: dict[str, Any] = {
    "event_id": "1",
    "level": "error",
    "user": {"email": "planted"},
    "request": {"url": "https://site.example/planted", "cookies": "planted"},
    "extra": {"celery-job": {"args": ["planted"]}},
    "breadcrumbs": {"values": [{"message": "planted"}]},
    "contexts": {"trace": {"trace_id": "2", "data": "planted"}, "planted": {}},
    "tags": [["planted", "planted"], ["celery_task_id", "3"]],
    "logentry": {"message": "Hello %s", "formatted": "Hello planted", "params": ["planted"]},
    "exception": {
        "values": [
            {
                "type": "ValueError",
                "value": "said",
                "mechanism": {"type": "django", "handled": False, "data": "planted"},
                "stacktrace": {"frames": [{"function": "f", "vars": {"a": "planted"}}]},
            }
        ]
    },
    "a_new_field": "planted",
}


def test_field_of_an_event_that_is_not_listed_does_not_leave() -> None:
    found = scrubbing.event(EVENT, messages=False)

    assert "planted" not in str(found)
    assert "said" not in str(found)
    assert found["tags"] == {"celery_task_id": "3"}
    assert found["contexts"] == {"trace": {"trace_id": "2"}}
    assert found["exception"]["values"][0]["stacktrace"]["frames"] == [{"function": "f"}]


def test_what_errors_say_leaves_only_if_it_may() -> None:
    found = scrubbing.event(EVENT, messages=True)

    assert found["exception"]["values"][0]["value"] == "said"
    assert found["logentry"] == {"message": "Hello %s"}
    assert "planted" not in str(found)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Return what is logged from now on."""
    found: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler = Listener()
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


def test_text_of_a_line_leaves_as_it_is_in_the_code(records: list[logging.LogRecord]) -> None:
    logger = logging.getLogger("shop.orders")
    logger.error("Sold %s", "planted")
    logger.error("Sold in two lines")

    assert [scrubbing.text(record) for record in records] == ["Sold %s", "Sold in two lines"]


def test_text_with_values_in_it_does_not_leave(records: list[logging.LogRecord]) -> None:
    """Kind: a line that is put together before it is logged."""
    logger = logging.getLogger("shop.orders")
    value = "planted"
    logger.error(f"Sold {value}")  # noqa: G004
    logger.error("Sold " + value)  # noqa: G003
    logger.error("Sold {}".format(value))  # noqa: G001, UP032
    logger.error(f"Sold {value} for %s", value)  # noqa: G004
    logger.error(ValueError(value))

    texts = [scrubbing.event(EVENT, messages=False, record=record) for record in records]
    assert len(texts) == 5
    for said in texts:
        assert re.fullmatch(
            r"shop\.orders: test_text_with_values_in_it_does_not_leave, line \d+ of "
            r"test_scrubbing\.py",
            said["logentry"]["message"],
        )


def test_what_asyncio_says_of_errors_does_not_leave(records: list[logging.LogRecord]) -> None:
    async def main() -> None:
        context = {"message": "It has failed", "arguments": "planted"}
        asyncio.get_running_loop().call_exception_handler(context)

    asyncio.run(main())

    (record,) = records
    assert "planted" in record.getMessage()
    assert scrubbing.text(record).startswith("asyncio: default_exception_handler, line ")


def test_text_without_its_code_does_not_leave() -> None:
    record = logging.makeLogRecord({"msg": "planted", "pathname": "missing.py"})

    assert "planted" not in scrubbing.text(record)
    assert scrubbing.text(None) == "(without its text)"


def test_made_up_method_is_no_label() -> None:
    assert scrubbing.method("GET") == "GET"
    assert scrubbing.method("PLANTED") == "HTTP"


@pytest.mark.parametrize("value", ["ada@example.com", None, 1.5])
def test_only_numbers_and_uuids_are_keys_of_users(value: object) -> None:
    assert scrubbing.key(uuid.UUID(int=7)) == str(uuid.UUID(int=7))
    assert scrubbing.key(7) == "7"
    assert scrubbing.key(value) == ""
