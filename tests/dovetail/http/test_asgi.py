"""Sync views in threads and async views on the event loop, each in one of Django's own handlers."""

import asyncio
import gc
import io
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import connections
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import path, reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.http import asgi
from dovetail.http.asgi import Bridge, get_application, runs_on_loop
from dovetail.http.environ import environ, scope_of
from dovetail.http.threads import ROOM, Threads
from tests.factories import make_user

pytestmark = pytest.mark.django_db  # requests look at the connections of their thread

LIMIT = 30  # seconds, for a busy machine
variable: ContextVar[str] = ContextVar("variable", default="")
seen: dict[str, Any] = {}


def text(request: HttpRequest) -> HttpResponse:
    seen["request"], seen["thread"] = request, threading.current_thread()
    seen["variable"] = variable.get()
    variable.set("of the view")
    return HttpResponse("text", headers={"X-Path": request.path_info.encode("unicode_escape")})


async def loop_text(request: HttpRequest) -> HttpResponse:
    seen["task"] = asyncio.current_task()
    return HttpResponse(type(request).__name__)


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.read(), headers={"X-Length": request.META["CONTENT_LENGTH"]})


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    seen["file"] = file
    return JsonResponse([request.POST["title"], file.size, type(file).__name__], safe=False)


def empty(_: HttpRequest, status: int) -> HttpResponse:
    return HttpResponse("left out", status=status)


def fails(_: HttpRequest) -> HttpResponse:
    raise ValueError("a defect")


def exits(_: HttpRequest) -> HttpResponse:
    raise SystemExit(3)


def activates(_: HttpRequest) -> HttpResponse:
    state = [translation.get_language(), timezone.get_current_timezone_name()]
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    return JsonResponse(state, safe=False)


def rolled_back(_: HttpRequest) -> HttpResponse:
    make_user("rolled-back@example.com")
    raise ValueError("a defect")


def awaits(_: HttpRequest) -> HttpResponse:
    async def loop() -> bool:
        return asyncio.get_running_loop() is seen["loop"]

    return JsonResponse(async_to_sync(loop)(), safe=False)


def waits(_: HttpRequest) -> HttpResponse:
    seen["waits"].set()
    seen["go"].wait(LIMIT)
    return HttpResponse("at last")


def parts(_: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[bytes]:
        try:
            yield from seen["parts"]
        finally:
            seen["ended"].set()

    return StreamingHttpResponse(generate())


def loop_parts(_: HttpRequest) -> StreamingHttpResponse:
    async def generate() -> AsyncIterator[bytes]:
        variable.set("of the stream")
        try:
            for part in seen["parts"]:
                yield part
            await seen["never"].wait()
        finally:
            seen["ended"].set()

    return StreamingHttpResponse(generate())


def file(_: HttpRequest) -> FileResponse:
    return FileResponse(seen["opened"])


def handler404(_: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(type(exception).__name__, status=404)


urlpatterns = [
    path("text/", text, name="text"),
    path("loop/", loop_text),
    path("echo/", echo),
    path("upload/", upload),
    path("empty/<int:status>/", empty),
    path("fails/", fails),
    path("exits/", exits),
    path("activates/", activates),
    path("rolled-back/", rolled_back),
    path("awaits/", awaits),
    path("waits/", waits),
    path("parts/", parts),
    path("loop-parts/", loop_parts),
    path("file/", file),
]


@pytest.fixture(autouse=True)
def _urls(settings: Settings) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    # One that is sync, and one of ours that runs on the loop or in the thread.
    settings.MIDDLEWARE = [
        "dovetail.http.health.HealthMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    seen.clear()
    yield
    seen.clear()


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(1)
    yield threads
    threads.close(LIMIT)


@pytest.fixture
def bridge(threads: Threads) -> Bridge:
    return Bridge(threads)


class Exchange:
    """One request, and what the application has sent.

    Attributes:
        sent: the messages.
        ends: whether the end of the body is still to come.
        gone: set when the client has gone.
        reads: cleared while the client reads nothing.
        started: set when the response begins, also if the client reads nothing.
        arrived: set when a part of it has arrived.
    """

    def __init__(self, path: str, method: str = "GET", *headers: tuple[bytes, bytes]) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"testserver"), *headers],
            "client": ("203.0.113.9", 1234),
            "server": ("127.0.0.1", 8000),
        }
        self.body: list[bytes] = []
        self.ends = True
        self.sent: list[Mapping[str, Any]] = []
        self.gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.arrived = asyncio.Event()
        self.started = asyncio.Event()

    async def receive(self) -> Mapping[str, Any]:
        if self.body:
            return {"type": "http.request", "body": self.body.pop(0), "more_body": True}
        if self.ends:
            self.ends = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.started.set()
        await self.reads.wait()
        self.sent.append(message)
        if message.get("body"):
            self.arrived.set()

    async def run(self, bridge: Bridge, *body: bytes) -> "Exchange":
        self.body += body
        async with asyncio.timeout(LIMIT):
            await bridge(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return not self.sent[-1].get("more_body", False) and "body" in self.sent[-1]


CHUNKED = (b"transfer-encoding", b"chunked")


async def in_thread(event: threading.Event) -> None:
    """Wait for an event of a thread, while the loop goes on."""
    assert await asyncio.to_thread(event.wait, LIMIT)


async def test_sync_view_runs_in_a_thread_of_the_pool(bridge: Bridge) -> None:
    exchange = await Exchange("/text/").run(bridge)

    assert (exchange.status, exchange.content) == (HTTPStatus.OK, b"text")
    assert exchange.headers["content-length"] == "4"  # by the middleware
    first = seen["thread"]
    assert first is not threading.current_thread()
    assert scope_of(seen["request"]) is exchange.scope
    await Exchange("/text/").run(bridge)
    assert seen["thread"] is first


async def test_async_view_runs_on_the_loop(bridge: Bridge) -> None:
    exchange = await Exchange("/loop/").run(bridge)

    assert exchange.content == b"ASGIRequest"
    assert seen["task"] in {*asyncio.all_tasks(), seen["task"]}
    assert not bridge.threads._running  # noqa: SLF001


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/loop/", True), ("/text/", False), ("/none/", False), ("/" + "x" * 300, False), ("", True)],
)
def test_views_are_told_apart_by_path(path: str, expected: bool) -> None:
    assert runs_on_loop(path) is expected


async def test_path_without_a_view_is_not_found(bridge: Bridge) -> None:
    assert (await Exchange("/none/").run(bridge)).status == HTTPStatus.NOT_FOUND


async def test_probe_is_answered_while_all_threads_are_busy(bridge: Bridge) -> None:
    seen["waits"], seen["go"] = threading.Event(), threading.Event()
    busy = asyncio.create_task(Exchange("/waits/").run(bridge))
    await in_thread(seen["waits"])

    assert (await Exchange("/livez").run(bridge)).content == b"ok"

    seen["go"].set()
    assert (await busy).content == b"at last"


def test_environ_is_that_of_a_wsgi_server() -> None:
    exchange = Exchange(
        "/",
        "POST",
        (b"content-type", b"text/plain"),
        (b"content-length", b"3"),
        (b"x-one", b"1"),
        (b"x-one", b"2"),
        (b"x_one", b"3"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"x-name", "é".encode("latin-1")),
    )
    exchange.scope |= {"query_string": b"q=%C3%A9&b=\xff", "scheme": "https"}

    variables = environ(exchange.scope, io.BytesIO(b"abc"))

    assert variables.pop("wsgi.input").read() == b"abc"
    assert {k: v for k, v in variables.items() if not k.startswith(("wsgi.", "asgi."))} == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "q=%C3%A9&b=\xff",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "REMOTE_HOST": "203.0.113.9",
        "REMOTE_PORT": "1234",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "testserver",
        "HTTP_X_ONE": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_NAME": "é",
    }
    assert variables["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    ("raw", "prefix", "script_name", "path_info"),
    [
        (b"/caf%C3%A9/", "", "", "/café/"),
        (b"/a%2Fb", "", "", "/a/b"),
        (b"/%FF", "", "", "/%FF"),  # as Django shows what is no UTF-8
        (b"/app/x", "/app", "/app", "/x"),
        (b"/app", "/app", "/app", "/"),
        (b"/%61pp/x", "/app", "/app", "/x"),
    ],
)
def test_path_is_decoded_as_by_a_wsgi_server(
    raw: bytes, prefix: str, script_name: str, path_info: str
) -> None:
    exchange = Exchange("/none/")
    exchange.scope |= {"raw_path": raw, "root_path": prefix}

    request = WSGIRequest(environ(exchange.scope, None))

    assert (request.META["SCRIPT_NAME"], request.path_info) == (script_name, path_info)


async def test_script_prefix_is_in_links(bridge: Bridge) -> None:
    exchange = Exchange("/app/text/")
    exchange.scope["root_path"] = "/app"
    links = []

    def view_link(**_: Any) -> None:
        links.append(reverse("text"))

    request_finished.connect(view_link)
    try:
        assert (await exchange.run(bridge)).content == b"text"
        bridge.threads.close(LIMIT)
    finally:
        request_finished.disconnect(view_link)
    assert links == ["/app/text/"]


async def test_body_in_chunks_is_read(bridge: Bridge) -> None:
    exchange = await Exchange("/echo/", "POST", CHUNKED).run(bridge, b"one ", b"two")

    assert exchange.content == b"one two"
    assert exchange.headers["x-length"] == "7"


async def test_upload_larger_than_memory_goes_through_a_file(
    bridge: Bridge, settings: Settings
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    factory = RequestFactory().post("/", {"title": "é", "file": io.BytesIO(b"x" * 5000)})
    kind = factory.META["CONTENT_TYPE"].encode()
    body = factory.body
    exchange = Exchange(
        "/upload/", "POST", (b"content-type", kind), (b"content-length", b"%d" % len(body))
    )

    await exchange.run(bridge, body[:100], body[100:])

    assert exchange.content.decode() == '["\\u00e9", 5000, "TemporaryUploadedFile"]'
    bridge.threads.close(LIMIT)
    assert seen["file"].closed


async def test_request_whose_client_goes_before_its_end_never_starts(bridge: Bridge) -> None:
    exchange = Exchange("/echo/", "POST", (b"content-length", b"9"))
    exchange.ends = False
    exchange.gone.set()

    await exchange.run(bridge)

    assert exchange.sent == []


@pytest.mark.parametrize("status", [204, 304])
async def test_some_responses_have_no_body(bridge: Bridge, status: int) -> None:
    exchange = await Exchange(f"/empty/{status}/").run(bridge)

    assert (exchange.status, exchange.content) == (status, b"")


async def test_head_has_the_headers_alone(bridge: Bridge) -> None:
    exchange = await Exchange("/text/", "HEAD").run(bridge)

    assert exchange.content == b""
    assert exchange.headers["content-length"] == "4"
    seen.update({"parts": [b"x"], "ended": threading.Event()})
    assert (await Exchange("/parts/", "HEAD").run(bridge)).content == b""
    assert (await Exchange("/loop-parts/", "HEAD").run(bridge)).content == b""


async def test_exception_of_a_view_is_djangos_error_page(bridge: Bridge) -> None:
    exchange = await Exchange("/fails/").run(bridge)

    assert exchange.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"<!doctype html>" in exchange.content.lower()


async def test_exception_of_djangos_handler_reaches_the_server(bridge: Bridge) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("refused")

    request_started.connect(refuse)
    try:
        with pytest.raises(RuntimeError, match="refused"):
            await Exchange("/text/").run(bridge)
    finally:
        request_started.disconnect(refuse)
    assert (await Exchange("/text/").run(bridge)).content == b"text"


async def test_exit_of_a_view_does_not_end_the_server(bridge: Bridge) -> None:
    with pytest.raises(RuntimeError, match=r"SystemExit\(3\)"):
        await Exchange("/exits/").run(bridge)

    assert (await Exchange("/text/").run(bridge)).content == b"text"


async def test_signals_are_sent_in_the_thread_of_the_view(bridge: Bridge) -> None:
    sent: list[tuple[str, threading.Thread]] = []

    def started(environ: dict[str, Any], **_: Any) -> None:
        sent.append((environ["PATH_INFO"], threading.current_thread()))

    def finished(**_: Any) -> None:
        sent.append(("finished", threading.current_thread()))

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        await Exchange("/text/").run(bridge)
        bridge.threads.close(LIMIT)
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)

    assert sent == [("/text/", seen["thread"]), ("finished", seen["thread"])]


async def test_view_runs_in_a_copy_of_the_context(bridge: Bridge) -> None:
    variable.set("of the server")

    await Exchange("/text/").run(bridge)

    assert seen["variable"] == "of the server"
    assert variable.get() == "of the server"


async def test_language_and_timezone_do_not_leak_to_the_next_request(bridge: Bridge) -> None:
    first, second = [(await Exchange("/activates/").run(bridge)).content for _ in range(2)]

    assert first == second
    assert b"Tokyo" not in second


@pytest.mark.django_db(transaction=True)
async def test_atomic_requests_are_rolled_back(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    exchange = await Exchange("/rolled-back/").run(bridge)

    assert exchange.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert not await User.objects.filter(email="rolled-back@example.com").aexists()


async def test_coroutines_of_sync_views_run_on_the_loop(bridge: Bridge) -> None:
    """So that they find its connections to Valkey."""
    seen["loop"] = asyncio.get_running_loop()

    assert (await Exchange("/awaits/").run(bridge)).content == b"true"


async def test_parts_of_a_stream_are_sent_as_they_come(bridge: Bridge) -> None:
    release, seen["ended"] = threading.Event(), threading.Event()

    def generate() -> Iterator[bytes]:
        yield b"one"
        release.wait(LIMIT)
        yield b"two"

    seen["parts"] = generate()
    exchange = Exchange("/parts/")
    task = asyncio.create_task(exchange.run(bridge))
    await exchange.arrived.wait()
    assert exchange.content == b"one"

    release.set()
    await task

    assert exchange.content == b"onetwo"
    assert exchange.is_complete


async def test_stream_ends_with_its_client(bridge: Bridge) -> None:
    gone, seen["ended"] = threading.Event(), threading.Event()

    def generate() -> Iterator[bytes]:
        yield b"one"
        gone.wait(LIMIT)
        while True:
            yield b"more"

    seen["parts"] = generate()
    exchange = Exchange("/parts/")
    task = asyncio.create_task(exchange.run(bridge))
    await exchange.arrived.wait()
    exchange.gone.set()
    gone.set()

    await task
    await in_thread(seen["ended"])

    assert (await Exchange("/text/").run(bridge)).content == b"text"


async def test_slow_client_keeps_neither_memory_nor_the_only_thread(bridge: Bridge) -> None:
    made, seen["ended"] = [], threading.Event()
    full = threading.Event()

    def generate() -> Iterator[bytes]:
        for _ in range(100):
            made.append(ROOM // 4)
            if sum(made) > ROOM:
                full.set()
            yield b"x" * (ROOM // 4)

    seen["parts"] = generate()
    exchange = Exchange("/parts/")
    exchange.reads.clear()
    task = asyncio.create_task(exchange.run(bridge))
    await in_thread(full)

    # The only thread of the pool waits for the client, and another has taken its place.
    for _ in range(3):
        assert (await Exchange("/text/").run(bridge)).content == b"text"
    assert sum(made) < 3 * ROOM

    exchange.reads.set()
    await task
    assert len(exchange.content) == 25 * ROOM


async def test_client_that_reads_nothing_is_left(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "STALLED", 0.05)
    seen["ended"] = threading.Event()
    seen["parts"] = iter([b"x" * ROOM] * 9)
    exchange = Exchange("/parts/")
    send = exchange.send

    async def stall(message: Mapping[str, Any]) -> None:
        await send(message)
        exchange.reads.clear()

    exchange.send = stall  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        await exchange.run(bridge)

    await in_thread(seen["ended"])


async def test_stream_that_fails_is_not_taken_for_complete(bridge: Bridge) -> None:
    def generate() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("a defect")

    seen.update({"parts": generate(), "ended": threading.Event()})
    exchange = Exchange("/parts/")

    with pytest.raises(ValueError, match="a defect"):
        await exchange.run(bridge)

    assert exchange.content == b"one"
    assert not exchange.is_complete
    assert seen["ended"].is_set()


async def test_sync_view_may_stream_from_the_loop(bridge: Bridge) -> None:
    seen.update({"parts": [b"one", b"two"], "ended": threading.Event(), "never": asyncio.Event()})
    seen["never"].set()
    finished = threading.Event()
    request_finished.connect(receiver := lambda **_: finished.set())
    try:
        exchange = await Exchange("/loop-parts/").run(bridge)
        await in_thread(finished)
    finally:
        request_finished.disconnect(receiver)

    assert exchange.content == b"onetwo"
    assert exchange.is_complete
    assert variable.get() != "of the stream"


async def test_stream_on_the_loop_ends_with_its_client(bridge: Bridge) -> None:
    seen.update({"parts": [b"one"], "ended": threading.Event(), "never": asyncio.Event()})
    exchange = Exchange("/loop-parts/")
    task = asyncio.create_task(exchange.run(bridge))
    await exchange.arrived.wait()
    # It keeps no thread meanwhile.
    assert (await Exchange("/text/").run(bridge)).content == b"text"

    exchange.gone.set()
    await task

    assert seen["ended"].is_set()
    assert not exchange.is_complete


async def test_file_is_sent_in_parts_and_closed(bridge: Bridge, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * ROOM * 2)
    opened = seen["opened"] = (tmp_path / "file").open("rb")

    exchange = await Exchange("/file/").run(bridge)
    bridge.threads.close(LIMIT)

    assert len(exchange.content) == ROOM * 2
    assert opened.closed


async def test_request_that_the_server_cancels_still_ends(bridge: Bridge) -> None:
    seen["waits"], seen["go"] = threading.Event(), threading.Event()
    finished = threading.Event()
    task = asyncio.create_task(Exchange("/waits/").run(bridge))
    await in_thread(seen["waits"])
    request_finished.connect(receiver := lambda **_: finished.set())
    try:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen["go"].set()
        await in_thread(finished)
    finally:
        request_finished.disconnect(receiver)


async def test_idle_thread_keeps_nothing_of_its_last_request(bridge: Bridge) -> None:
    await Exchange("/text/").run(bridge)
    await Exchange("/loop/").run(bridge)
    request = weakref.ref(seen.pop("request"))
    deadline = time.monotonic() + LIMIT
    while request() is not None:
        assert time.monotonic() < deadline
        gc.collect()
        await asyncio.sleep(0)


def test_setting_chooses_djangos_own_handler(settings: Settings) -> None:
    settings.WEB_HANDLER = "django"

    application, _ = get_application()

    assert type(application).__module__ == "django.core.handlers.asgi"


def test_spare_threads_end_again(threads: Threads) -> None:
    done = threading.Event()
    with threads.replaced():
        threads.run(done.set)
        assert done.wait(LIMIT)
    threads.close(LIMIT)

    assert not threads._running  # noqa: SLF001


@pytest.mark.parametrize("path", ["/parts/", "/loop-parts/"])
async def test_stream_of_a_cancelled_request_is_closed(bridge: Bridge, path: str) -> None:
    finished = threading.Event()
    seen.update({"parts": iter([b"x" * ROOM] * 9), "ended": threading.Event()})
    exchange = Exchange(path)
    exchange.reads.clear()
    task = asyncio.create_task(exchange.run(bridge))
    request_finished.connect(receiver := lambda **_: finished.set())
    try:
        await exchange.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await in_thread(finished)
    finally:
        request_finished.disconnect(receiver)


async def test_request_is_dropped_whose_client_has_gone_before_a_thread_had_time(
    bridge: Bridge,
) -> None:
    """Kind: abandoned requests that hold up those whose clients still wait."""
    begun, go_on = threading.Event(), threading.Event()
    ran: list[str] = []

    def block() -> None:
        begun.set()
        go_on.wait(20)

    for _ in range(bridge.threads.number):
        bridge.threads.run(block)
    exchange = Exchange("/text/")
    exchange.gone.set()
    await asyncio.wait_for(exchange.run(bridge), 20)
    go_on.set()
    bridge.threads.run(lambda: ran.append("next"))
    bridge.threads.close(20)

    assert exchange.sent == []
    assert ran == ["next"]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(1)])
def test_thread_goes_on_after_an_error(
    threads: Threads, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a process with fewer and fewer threads, and in the end none that answers."""
    goes_on = threading.Event()

    def fail() -> None:
        raise error

    threads.run(fail)
    threads.run(goes_on.set)

    assert goes_on.wait(LIMIT)
    assert "goes on after an error" in caplog.text
