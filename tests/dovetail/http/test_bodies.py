"""Limits for request bodies, in front of the real Django application."""

import asyncio
import itertools
import tempfile
from asyncio import as_completed
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.core.handlers import asgi
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django.fixtures import Settings

from apps.articles.models import Article, Comment
from dovetail.http.asgi import get_application
from dovetail.http.bodies import does_take_files, with_body_limits
from dovetail.http.lifespan import Application
from tests.factories import make_user

KB, MB = 1024, 1024 * 1024
SMALL, FILES = "/accounts/login/", "/articles/new/"


@pytest.fixture(params=["bridge", "django"])
def limited(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Application]:
    settings.WEB_HANDLER = request.param
    application, close = get_application()
    yield with_body_limits(application)
    close()


class Spool:
    """What Django wrote into the files that it keeps bodies in.

    Attributes:
        written: the size of the largest one, in bytes.
    """

    def __init__(self) -> None:
        self.files: list[Any] = []
        self.written = 0

    def open(self, *args: Any, **kwargs: Any) -> Any:
        file = tempfile.SpooledTemporaryFile(*args, **kwargs)  # noqa: SIM115 - Django closes it
        self.files.append(file)
        write = file.write

        def counting(content: bytes) -> int:
            size = write(content)
            self.written = max(self.written, file.tell())
            return size

        file.write = counting  # type: ignore[assignment]
        return file

    async def closes(self) -> bool:
        """Wait until all are closed, by the threads of the requests."""
        async with asyncio.timeout(30):
            while not all(file.closed for file in self.files):  # noqa: ASYNC110 - none tells
                await asyncio.sleep(0.001)
        return True


@pytest.fixture
def spool(monkeypatch: pytest.MonkeyPatch) -> Spool:
    spool = Spool()
    monkeypatch.setattr(asgi, "tempfile", SimpleNamespace(SpooledTemporaryFile=spool.open))
    return spool


class Exchange:
    """One request to an ASGI application, as a server passes it on.

    Attributes:
        sent: the messages of the application.
    """

    def __init__(self, path: str, *headers: tuple[bytes, bytes], version: str = "1.1") -> None:
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": version,
            "method": "POST",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost"), *headers],
            "client": ("203.0.113.9", 1),
        }
        self.sent: list[Mapping[str, Any]] = []

    async def run(self, application: Application, chunks: AsyncIterator[bytes]) -> int:
        """Send a body, and return the status. A body that does not end hangs."""

        async def receive() -> Mapping[str, Any]:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return {"type": "http.request", "body": b"", "more_body": False}
            except ConnectionError:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": True}

        async def send(message: Mapping[str, Any]) -> None:
            self.sent.append(message)

        await application(self.scope, receive, send)
        return self.status

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return {name.lower(): value for name, value in self.sent[0]["headers"]}

    @property
    def page(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


async def body(size: int, chunk: int = 64 * KB) -> AsyncIterator[bytes]:
    while size > 0:
        yield b"x" * min(chunk, size)
        size -= chunk


async def stalled(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    await asyncio.get_running_loop().create_future()


async def broken() -> AsyncIterator[bytes]:
    yield b"x"
    raise ConnectionError


CHUNKED = (b"transfer-encoding", b"chunked")


def length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()


@pytest.mark.parametrize(("path", "limit"), [(SMALL, 256 * KB), (FILES, 10 * MB), ("/x", 256 * KB)])
async def test_body_that_is_announced_too_large_is_refused_unread(
    limited: Application, path: str, limit: int, spool: Spool
) -> None:
    exchange = Exchange(path, length(limit + 1))

    assert await exchange.run(limited, body(0)) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    assert spool.written == 0
    assert "too large" in exchange.page
    assert exchange.headers[b"connection"] == b"close"
    assert b"content-security-policy" in exchange.headers
    assert b"cookie" not in exchange.headers


@pytest.mark.parametrize(("path", "limit"), [(SMALL, 256 * KB), (FILES, 10 * MB), ("/x", 256 * KB)])
@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_endless_body_is_refused_at_the_limit(
    limited: Application, path: str, limit: int, version: str, spool: Spool
) -> None:
    """Kind: a body without a length, which Django wrote to disk whatever its size was."""
    exchange = Exchange(path, *([CHUNKED] if version == "1.1" else []), version=version)

    status = await exchange.run(limited, body(100 * MB))

    assert status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert await spool.closes()
    assert 0 < spool.written <= limit
    assert (b"connection" in exchange.headers) == (version == "1.1")


class Reader:
    """An application that reads bodies, and answers 200 if they end.

    Attributes:
        read: the bytes of the largest one.
        gone: whether its sender has gone.
        held: the bytes of those that it is reading.
        most: the most that it has held at once.
    """

    read = held = most = 0
    gone = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        read, status = 0, scope.get("dovetail.refused")
        try:
            while not status:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.gone = True
                    return
                size = len(message["body"])
                read += size
                self.held += size
                self.most = max(self.most, self.held)
                if not message["more_body"]:
                    status = HTTPStatus.OK
        finally:
            self.read = max(self.read, read)
            self.held -= read
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("path", "limit"), [(SMALL, 256 * KB), (FILES, 10 * MB)])
async def test_application_gets_what_is_allowed_and_no_more(path: str, limit: int) -> None:
    reader = Reader()
    assert await Exchange(path, length(limit)).run(with_body_limits(reader), body(limit)) == 200
    assert reader.read == limit

    reader = Reader()
    assert await Exchange(path, CHUNKED).run(with_body_limits(reader), body(limit + 1)) == 413
    assert reader.read <= limit
    assert reader.gone


@pytest.mark.parametrize("value", [b"9" * 5000, b"9" * 18])
async def test_length_of_many_digits_is_too_large(value: bytes) -> None:
    exchange = Exchange(SMALL, (b"content-length", value))

    assert await exchange.run(with_body_limits(Reader()), body(MB)) == 413


@pytest.mark.parametrize("values", [[b"-1"], [b"x"], [b""], [b"\xb2"], [b"1e9"], [b"1", b"1"]])
async def test_length_that_is_not_one_number_is_refused(
    limited: Application, values: list[bytes], spool: Spool
) -> None:
    """Kind: a header that Django reads as a number, when a form asks for its fields."""
    exchange = Exchange(SMALL, *((b"content-length", value) for value in values))

    assert await exchange.run(limited, body(1)) == HTTPStatus.BAD_REQUEST
    assert spool.written == 0


@pytest.mark.parametrize(
    "chunks", [[], [b"x"], [b"x"] * 50], ids=["nothing", "a byte", "a byte at a time"]
)
async def test_body_that_arrives_too_slowly_is_ended(
    limited: Application, settings: Settings, chunks: list[bytes], spool: Spool
) -> None:
    """Kind: an unfinished body that stays for ever."""
    settings.REQUEST_TIMEOUT = 0.05
    exchange = Exchange(SMALL, length(1000))

    assert await exchange.run(limited, stalled(*chunks)) == HTTPStatus.REQUEST_TIMEOUT

    assert exchange.headers[b"connection"] == b"close"
    assert "too long" in exchange.page
    assert await spool.closes()


async def test_body_that_trickles_is_ended(limited: Application, settings: Settings) -> None:
    """Kind: a limit for each wait, which a byte now and then never exceeds."""
    settings.REQUEST_TIMEOUT = 0.2

    async def trickle() -> AsyncIterator[bytes]:
        yield b"x" * 100 * KB  # no credit for later
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    exchange = Exchange(FILES, CHUNKED)

    assert await exchange.run(limited, trickle()) == HTTPStatus.REQUEST_TIMEOUT


async def test_steady_body_may_take_longer_than_one_period(settings: Settings) -> None:
    settings.REQUEST_TIMEOUT = 2  # more than a busy machine stands still
    periods: list[float] = []

    async def steady() -> AsyncIterator[bytes]:
        began = asyncio.get_running_loop().time()
        while (
            elapsed := asyncio.get_running_loop().time() - began
        ) < 1.5 * settings.REQUEST_TIMEOUT:
            periods.append(elapsed)
            yield b"x" * 4 * KB
            await asyncio.sleep(0.01)

    reader = Reader()
    status = await Exchange(FILES, CHUNKED).run(with_body_limits(reader), steady())

    assert status == 200
    assert reader.read == len(periods) * 4 * KB


async def test_client_that_goes_ends_the_request(limited: Application, spool: Spool) -> None:
    """Kind: a body that never ends, because nothing more will come."""
    exchange = Exchange(SMALL, length(9))

    # A server that tells malformed chunks the same way sends this to who is still there.
    assert await exchange.run(limited, broken()) == HTTPStatus.BAD_REQUEST

    assert exchange.headers[b"connection"] == b"close"
    assert await spool.closes()


async def test_all_bodies_together_are_bounded(settings: Settings) -> None:
    """Kind: a limit for each request, times the number of requests."""
    settings.REQUESTS_MAX_BYTES = 40 * MB
    reader = Reader()
    limited = with_body_limits(reader)
    async with asyncio.TaskGroup() as group:
        held = [
            group.create_task(Exchange(FILES, CHUNKED).run(limited, stalled(*[b"x" * MB] * 9)))
            for _ in range(40)
        ]
        # Half of the bytes are enough for two.
        refused = [await next_ended for next_ended in itertools.islice(as_completed(held), 38)]

        assert set(refused) == {HTTPStatus.SERVICE_UNAVAILABLE}
        assert reader.most <= 20 * MB
        # Forms without files still get through.
        assert await Exchange(SMALL, length(KB)).run(limited, body(KB)) == 200
        for task in held:
            task.cancel()
    # What has ended counts no more.
    assert await Exchange(FILES, CHUNKED).run(limited, body(9 * MB)) == 200


async def test_small_bodies_together_are_bounded(settings: Settings) -> None:
    settings.REQUESTS_MAX_BYTES = 10 * MB
    reader = Reader()
    limited = with_body_limits(reader)
    async with asyncio.TaskGroup() as group:
        held = [
            group.create_task(Exchange(SMALL, CHUNKED).run(limited, stalled(b"x" * 200 * KB)))
            for _ in range(100)
        ]
        refused = [await next_ended for next_ended in itertools.islice(as_completed(held), 49)]

        assert set(refused) == {HTTPStatus.SERVICE_UNAVAILABLE}
        assert reader.most <= 10 * MB
        for task in held:
            task.cancel()


async def test_requests_without_a_body_are_left_alone() -> None:
    """The time limit is for bodies, not for a client that waits for a slow page."""
    given = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        given.append((scope, receive, send))

    async def receive() -> Mapping[str, Any]:
        return {}

    async def send(message: Mapping[str, Any]) -> None: ...

    scopes: list[dict[str, Any]] = [
        Exchange("/").scope,
        Exchange("/", length(0)).scope,
        {"type": "lifespan"},
    ]
    for scope in scopes:
        await with_body_limits(application)(scope, receive, send)

    assert given == [(scope, receive, send) for scope in scopes]


def test_only_views_that_take_files_are_marked() -> None:
    """Kind: a view that was forgotten: its uploads would fail. Others would take too much."""
    for url in ("/articles/new/", "/articles/some/edit/", "/people/me/edit/"):
        assert does_take_files(url), url
    for url in ("/", "/articles/", "/accounts/login/", "/nothing/", "", "/\0/", "/articles/new"):
        assert not does_take_files(url), url
    assert does_take_files("/admin/articles/article/add/")
    assert does_take_files("/admin/users/user/1/change/")
    assert not does_take_files("/admin/articles/comment/add/")
    assert admin.site._registry[Article].takes_files  # type: ignore[attr-defined]  # noqa: SLF001
    assert not admin.site._registry[Comment].takes_files  # type: ignore[attr-defined]  # noqa: SLF001


def views(patterns: list[Any] | None = None) -> Iterator[Callable[..., Any]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield pattern.callback


def test_every_view_whose_form_has_files_takes_them() -> None:
    multipart = [
        view
        for view in views()
        if (form := getattr(getattr(view, "view_class", None), "form_class", None))
        and any(field.widget.needs_multipart_form for field in form.base_fields.values())
    ]

    assert len(multipart) >= 3
    assert all(getattr(view, "takes_files", False) for view in multipart), multipart


@pytest.mark.django_db
def test_too_much_text_in_a_form_with_files_is_too_large(client: Client) -> None:
    """Kind: Django's own limits, whose page said that the request was malformed."""
    client.force_login(make_user())

    response = client.post("/articles/new/", {"title": "x", "body": "x" * 3 * MB})

    assert response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert "too large" in response.content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {f"field{number}": "x" for number in range(1001)},
        {f"file{number}": ("a.txt", b"x") for number in range(11)},
    ],
    ids=["fields", "files"],
)
def test_too_many_parts_are_refused(client: Client, tmp_path: Path, fields: dict[str, Any]) -> None:
    data = {}
    for name, value in fields.items():
        if isinstance(value, tuple):
            path = tmp_path / name
            path.write_bytes(value[1])
            data[name] = path.open("rb")
        else:
            data[name] = value
    try:
        response = client.post(SMALL, data)
    finally:
        for value in data.values():
            if hasattr(value, "close"):
                value.close()

    assert response.status_code == HTTPStatus.BAD_REQUEST


def test_headers_of_a_part_are_bounded(client: Client) -> None:
    part = b"--x\r\nContent-Disposition: form-data; name=" + b"a" * 200 * KB + b"\r\n\r\n1\r\n--x--"

    response = client.generic("POST", SMALL, part, content_type="multipart/form-data; boundary=x")

    assert response.status_code == HTTPStatus.BAD_REQUEST
