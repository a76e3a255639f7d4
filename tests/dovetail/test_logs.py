"""Log lines for programs and for people."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import get_resolver

from dovetail import telemetry
from dovetail.http.request_id import current
from dovetail.logs import (
    JsonFormatter,
    LineFormatter,
    RefusedRequestFilter,
    SecretPathFilter,
    without_secret,
)

Logged = Callable[..., str]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> logging.Logger:
    logger = logging.Logger("shop.orders", logging.INFO)  # noqa: LOG001 - with no other handlers
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    return logger


@pytest.fixture(autouse=True)
def request_id() -> Iterator[str]:
    before = current.set("abc")
    yield "abc"
    current.reset(before)


def read(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_line_is_one_json_object(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.info("Sold %d\nin two lines", 3, extra={"order": 7})

    fields = read(stream)
    assert fields.pop("time").endswith("+00:00")
    assert fields == {
        "level": "INFO",
        "logger": "shop.orders",
        "message": "Sold 3\nin two lines",
        "request_id": "abc",
        "order": 7,
    }


def test_exception_has_its_traceback(logger: logging.Logger, stream: io.StringIO) -> None:
    stock: dict[str, int] = {}
    try:
        stock["oak"] -= 1
    except KeyError:
        logger.exception("Not sold")

    assert "KeyError: 'oak'" in read(stream)["exception"]
    assert "test_logs.py" in read(stream)["exception"]


@pytest.mark.parametrize("odd", ["\ud800", 2**70, {1: 2}, object(), b"\xff"])
def test_anything_can_be_logged(logger: logging.Logger, stream: io.StringIO, odd: Any) -> None:
    """Kind: a line that is lost, because of what is in it."""
    logger.info("Odd: %s", odd, extra={"odd": odd})

    assert read(stream)["message"].startswith("Odd: ")


def test_query_strings_stay_out(logger: logging.Logger, stream: io.StringIO) -> None:
    """Django adds the request to its own lines."""
    logger.warning("Not Found", extra={"request": "<GET '/?q=secret'>", "status_code": 404})

    assert "secret" not in stream.getvalue()
    assert read(stream)["status_code"] == 404


def test_text_ends_in_the_identifier() -> None:
    record = logging.makeLogRecord({"msg": "Sold", "levelname": "INFO"})
    formatter = LineFormatter("{levelname} {message}", style="{")

    assert formatter.format(record) == "INFO Sold [abc]"
    before = current.set("")
    assert formatter.format(record) == "INFO Sold"
    current.reset(before)


def test_line_has_the_ids_of_its_trace(
    logger: logging.Logger, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
    monkeypatch.setattr(telemetry, "ids", lambda: ids)

    logger.info("Sold")

    assert ids.items() <= read(stream).items()


@pytest.mark.parametrize(
    ("name", "is_error"), [("django.security.DisallowedHost", False), ("django.request", True)]
)
def test_refused_request_is_no_error(
    stream: io.StringIO, logger: logging.Logger, name: str, is_error: bool
) -> None:
    """Kind: a flood of errors, or of tracebacks, that anyone can cause."""
    logger.name = name
    logger.handlers[0].addFilter(RefusedRequestFilter())
    logger.error("Invalid HTTP_HOST header", exc_info=ValueError("bad"))

    fields = read(stream)
    assert ("exception" in fields) is is_error
    assert fields["level"] == ("ERROR" if is_error else "WARNING")


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/accounts/password/reset/key/3-abc/", "/accounts/password/reset/key/…"),
        ("/site/mail/unsubscribe/abc:def/", "/site/mail/unsubscribe/…"),  # with a script prefix
        ("/articles/key/", "/articles/key/"),
    ],
)
def test_secret_of_a_path_is_not_logged(path: str, logged: str) -> None:
    record = logging.makeLogRecord(
        {"name": "django.request", "msg": "%s: %s", "args": ("Not Found", path)}
    )

    assert SecretPathFilter().filter(record)

    assert record.getMessage() == f"Not Found: {logged}"
    assert without_secret(path) == logged


def test_every_path_with_a_secret_is_known() -> None:
    """Kind: a link that a mail brings, and that the log shows to whoever may read it."""

    def walk(patterns: list[Any], before: str) -> Iterator[str]:
        for pattern in patterns:
            path = before + str(pattern.pattern).replace("^", "")
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns, path)
            elif {"key", "token"} & set(pattern.pattern.regex.groupindex):
                yield path

    paths = list(walk(get_resolver().url_patterns, "/"))
    secret = [path for path in paths if not path.startswith("/dev/")]  # of this machine only

    assert len(secret) >= 2
    assert [path for path in secret if without_secret(path) == path] == []
