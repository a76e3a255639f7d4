"""Runs sync views under ASGI as fast as under WSGI: each in one thread, from start to end.

Django's own ASGI handler takes such a request to a new thread and back for each middleware that is
not async, and starts a thread for each request. Here one of a few threads runs Django's WSGI
handler as a whole, which takes a fifth of the CPU time on a page of text. Async views run in
Django's ASGI handler on the event loop. Either handler can run any view, so what decides between
them may err without harm.

Own code because a2wsgi, which does the same, takes twice as much on such a page, loses what is not
UTF-8 in a path, and lets a client that reads slowly keep a thread.

A sync view is not told that its client has gone, as under any WSGI server: its work is done, and
what it returns is dropped. Streams end with their client, and are closed.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from contextvars import Context, copy_context
from functools import lru_cache, partial
from http import HTTPStatus
from typing import IO, Any, cast

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, iscoroutinefunction
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.urls import Resolver404, URLResolver, get_resolver

from dovetail.http import health
from dovetail.http.bodies import may_have_body
from dovetail.http.environ import Headers, encoded, environ, path_info
from dovetail.http.lifespan import Application, Receive, Scope, Send
from dovetail.http.threads import Messages, Pipe, Threads

SHUTDOWN = 5  # seconds for what is done after responses
WAITING = 0.05  # seconds until a request that waits is dropped if its client goes
STALLED = 60  # seconds in which a client must read something of a stream
EMPTY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}  # have no body
LONGEST_KNOWN = 200  # characters of a path that is remembered


def get_application() -> tuple[Application, Callable[[], None]]:
    """Return the application that `WEB_HANDLER` names, and what ends it. Django must be set up."""
    if settings.WEB_HANDLER == "django":
        return cast("Application", ASGIHandler()), lambda: None
    threads = Threads(settings.WEB_THREADS)
    return Bridge(threads), partial(threads.close, SHUTDOWN)


class Bridge:
    """An ASGI application that gives each request to one of Django's two handlers."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self._messages: Messages | None = None
        self._asgi = ASGIHandler()
        self._wsgi = WSGIHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            Exception: Django's handler failed, or a stream did. The server then answers with 500,
                or breaks off the response, so that no client takes it for complete.
        """
        if scope["type"] != "http" or runs_on_loop(path_info(scope)):
            await cast("Application", self._asgi)(scope, receive, send)
            return
        body: IO[bytes] | None = None
        if may_have_body(scope):
            try:
                body = await self._asgi.read_body(receive)
            except RequestAborted:
                return
        loop = asyncio.get_running_loop()
        if self._messages is None or self._messages.loop is not loop:
            self._messages = Messages(loop)  # once, since a server has one loop
        exchange = Exchange(self._messages, self.threads, is_head=scope["method"] == "HEAD")
        job = partial(exchange.respond, self._wsgi, environ(scope, body), body)
        self.threads.run(partial(copy_context().run, job))
        await exchange.answer(receive, send)


class Exchange:
    """One response on its way from a thread to the server."""

    def __init__(self, messages: Messages, threads: Threads, *, is_head: bool) -> None:
        self._messages = messages
        self._threads = threads
        self._is_head = is_head
        self._loop = messages.loop
        self._response: asyncio.Future[tuple[int, Headers, Any]] = self._loop.create_future()
        self._watcher: asyncio.Task[None] | None = None
        self._on_disconnect: Callable[[], object] = self._abandon
        self._has_begun = self._is_abandoned = False

    def respond(self, wsgi: WSGIHandler, environ: dict[str, Any], body: IO[bytes] | None) -> None:
        """Let Django respond. Called in a thread, in a copy of the request's context.

        The response is closed here after it has been sent, or has been handed over to be.
        """
        if self._is_abandoned:
            if body:
                body.close()
            return
        self._has_begun = True
        # Where `async_to_sync` runs coroutines, and with that keeps connections to Valkey.
        SyncToAsync.threadlocal.main_event_loop = self._loop
        SyncToAsync.threadlocal.main_event_loop_pid = os.getpid()
        started: list[tuple[int, Headers]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started.append((int(status[:3]), encoded(headers)))

        try:
            response: Any = cast("Any", wsgi)(environ, start_response)
            [(status, headers)] = started
            is_empty = self._is_head or status in EMPTY
            if getattr(response, "is_async", False) and not is_empty:
                self._tell(self._set, status, headers, Async(response, copy_context()))
                return  # the loop has it closed
            try:
                if is_empty:
                    self._tell(self._set, status, headers, b"")
                elif getattr(response, "streaming", True):
                    pipe = Pipe(self._messages, self._threads)
                    self._tell(self._set, status, headers, pipe)
                    pipe.fill(response)
                else:
                    self._tell(self._set, status, headers, response.content)
            finally:
                response.close()
        except BaseException as error:  # noqa: BLE001 - it is raised in the loop
            self._tell(self._fail, error)
        finally:
            if body:
                body.close()

    async def answer(self, receive: Receive, send: Send) -> None:
        """Send the response, unless the client goes before. Called on the event loop."""
        # Most are answered before this comes to anything.
        waiting = self._loop.call_later(WAITING, self._watch, receive, self._abandon)
        try:
            response = await self._response
            await self._send(*response, receive, send)
        except asyncio.CancelledError:
            if not self._is_abandoned:  # the client has gone, before a thread had time
                raise
        finally:
            waiting.cancel()
            if self._watcher:
                self._watcher.cancel()

    def _watch(self, receive: Receive, on_disconnect: Callable[[], object]) -> None:
        """Call a function when the client has gone; in a response, only the last one counts."""
        self._on_disconnect = on_disconnect
        if self._watcher is None:
            self._watcher = self._loop.create_task(_until_disconnect(receive))
            self._watcher.add_done_callback(lambda task: task.cancelled() or self._on_disconnect())
        elif self._watcher.done():
            on_disconnect()

    def _abandon(self) -> None:
        if not self._has_begun:
            self._is_abandoned = True
            self._response.cancel()

    async def _send(
        self, status: int, headers: Headers, content: Any, receive: Receive, send: Send
    ) -> None:
        watch = partial(self._watch, receive)
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if isinstance(content, Pipe):
                watch(content.close)
                await stream(aiter(content), send)
            elif isinstance(content, Async):
                await self._send_async(content, watch, send)
            else:
                await send({"type": "http.response.body", "body": content})
        finally:
            self._end(content)

    async def _send_async(
        self, content: "Async", watch: Callable[[Callable[[], object]], None], send: Send
    ) -> None:
        """Send an async iterator, in the context that the view left."""

        async def iterate() -> None:
            async with ThreadSensitiveContext():
                await stream(aiter(content.response), send)

        task = self._loop.create_task(iterate(), context=content.context)
        watch(task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) and current.cancelling():
                raise  # not because the client has gone

    def _end(self, content: Any) -> None:
        """Have the thread end a stream, or close what the loop has sent."""
        if isinstance(content, Pipe):
            content.close()
        elif isinstance(content, Async):
            close = partial(self._close, content.response)
            self._threads.run(partial(content.context.copy().run, close))

    def _tell(self, function: Callable[..., object], *args: object) -> None:
        self._messages.send(partial(function, *args))

    def _close(self, response: Any) -> None:
        try:
            response.close()
        except Exception as error:  # noqa: BLE001 - the response has been sent
            context = {"message": "A response could not be closed", "exception": error}
            self._tell(self._loop.call_exception_handler, context)

    def _set(self, status: int, headers: Headers, content: Any) -> None:
        if self._response.done():  # the server has cancelled the request
            self._end(content)
        else:
            self._response.set_result((status, headers, content))

    def _fail(self, error: BaseException) -> None:
        if not self._response.done():
            if not isinstance(error, Exception):  # such as SystemExit, which would end the loop
                error = RuntimeError(f"The view has raised {error!r}")
            self._response.set_exception(error)
        else:
            context = {"message": "A response could not be closed", "exception": error}
            self._loop.call_exception_handler(context)


class Async:
    """A response with an async iterator, and the context in which its view has run."""

    def __init__(self, response: Any, context: Context) -> None:
        self.response = response
        self.context = context


async def stream(parts: AsyncIterator[bytes], send: Send) -> None:
    """Send parts as they come.

    Args:
        parts: an async generator, which is closed.
        send: waits while the client reads slowly.

    Raises:
        TimeoutError: the client has read nothing for `STALLED` seconds.
    """
    async with aclosing(cast("AsyncGenerator[bytes]", parts)):
        async for part in parts:
            async with asyncio.timeout(STALLED):
                await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def runs_on_loop(path: str) -> bool:
    """Return whether the ASGI handler should answer: for probes, and where the view is async.

    Probes are to be answered also while all threads are busy. What is no path, such as `*` or the
    host of CONNECT, is refused there, where WSGI would take it for `/`.

    Args:
        path: without the script prefix.
    """
    if path in health.PATHS or not path.startswith("/"):
        return True
    is_async = _is_async if len(path) <= LONGEST_KNOWN else _is_async.__wrapped__
    return is_async(get_resolver(), path)


@lru_cache(maxsize=1024)
def _is_async(resolver: URLResolver, path: str) -> bool:
    try:
        return iscoroutinefunction(resolver.resolve(path).func)
    except Resolver404:
        return False
