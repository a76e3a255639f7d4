"""Limits the bytes and the time of request bodies, before Django or any disk gets them.

Own code because Granian has no such limits, and Django's come too late: under ASGI it first reads
the whole body into a temporary file, of whatever size and however slowly it arrives.

    application = with_body_limits(application)

A body may have `REQUEST_MAX_BYTES`, or `REQUEST_FILES_MAX_BYTES` if its view says so:

    @method_decorator(takes_files, name="dispatch")
    class ProfileUpdateView(UpdateView): ...

For the forms of the admin, the attribute `takes_files` of the admin class says so, as `KitAdmin`'s.
Who sends what is refused gets an error page (`dovetail.http.refused`) and a closed connection.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar

from django.conf import settings
from django.urls import Resolver404, resolve

from dovetail.http.lifespan import Application, Receive, Scope, Send

logger = logging.getLogger(__name__)

REFUSED = "dovetail.refused"  # the key in the scope of the status that a body was refused with
LINGER = 5  # seconds for a client to finish sending a body that is too large
DIGITS = 15  # more than any limit has; Python refuses to convert thousands of them

View = TypeVar("View", bound=Callable[..., Any])


def takes_files(view: View) -> View:
    """Mark a view whose requests may have bodies of up to `REQUEST_FILES_MAX_BYTES`."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def with_body_limits(application: Application) -> Application:
    """Return an ASGI application that refuses bodies that are too large, too slow or too many.

    | Status | Why |
    |---|---|
    | 413 | it has more bytes than its view takes |
    | 408 | for `REQUEST_TIMEOUT` seconds, it came slower than `REQUEST_MIN_RATE` bytes per second |
    | 503 | the bodies of all requests in this process have reached `REQUESTS_MAX_BYTES` |
    | 400 | its length is no number, or it ends too soon: malformed, or its sender has gone |

    Large bodies may have only half of these, so that uploads cannot keep people from signing in.
    To the application, the sender of a refused body has gone.
    """
    total = Total()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not may_have_body(scope):
            await application(scope, receive, send)
            return
        body = Body(scope, receive, total)
        if not body.refused:
            try:
                await application(scope, body.receive, send)
            finally:
                total.bytes -= body.received
        if body.refused:
            await _refuse(application, scope, receive, send, body.refused)

    return answer


class Total:
    """The bytes of all bodies whose requests have not ended, in this process."""

    bytes = 0


class Body:
    """The body of one request.

    Attributes:
        received: the bytes so far.
        refused: the status to answer with, or None.
    """

    def __init__(self, scope: Scope, receive: Receive, total: Total) -> None:
        self._scope = scope
        self._receive = receive
        self._total = total
        self._complete = False
        self._recent = 0  # bytes since the deadline was set
        self._deadline: float | None = None  # in the loop's time
        self.received = 0
        self.refused: HTTPStatus | None = None
        try:
            if not self._may_have(declared_length(scope)):
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    async def receive(self) -> Mapping[str, Any]:
        """Return the next ASGI message, or the end of the connection when the body is refused."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._next_deadline()):
                message = await self._receive()
        except TimeoutError:
            return self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        if message["type"] == "http.disconnect":
            return self._refuse(HTTPStatus.BAD_REQUEST)
        self._complete = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self.received += size
        self._recent += size
        self._total.bytes += size
        if not self._may_have(self.received):
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        is_large = self.received > settings.REQUEST_MAX_BYTES
        if size and self._total.bytes > settings.REQUESTS_MAX_BYTES / (2 if is_large else 1):
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        return message

    def _next_deadline(self) -> float:
        """Return until when to wait: later than last time only if enough has arrived since."""
        if (
            self._deadline is None
            or self._recent >= settings.REQUEST_MIN_RATE * settings.REQUEST_TIMEOUT
        ):
            self._deadline = asyncio.get_running_loop().time() + settings.REQUEST_TIMEOUT
            self._recent = 0
        return self._deadline

    def _may_have(self, size: int) -> bool:
        if size <= settings.REQUEST_MAX_BYTES:
            return True
        return size <= settings.REQUEST_FILES_MAX_BYTES and self._takes_files

    @cached_property
    def _takes_files(self) -> bool:
        return does_take_files(self._scope["path"])

    def _refuse(self, status: HTTPStatus) -> dict[str, Any]:
        self.refused = status
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not self._takes_files:
            logger.warning(
                "Refused a request body of more than %d bytes for %r. If its view takes files, "
                "mark it with dovetail.http.bodies.takes_files",
                settings.REQUEST_MAX_BYTES,
                self._scope["path"][:200],
            )
        return {"type": "http.disconnect"}


def may_have_body(scope: Scope) -> bool:
    """Return whether a body may follow the headers. Most requests have none."""
    if not scope["http_version"].startswith("1"):
        return True
    for name, value in scope["headers"]:  # a third of the time that `any` takes, for each request
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False


def declared_length(scope: Scope) -> int:
    """Return the number of bytes that the client announces; 0 if it does not.

    Raises:
        ValueError: it is no number, or announced twice, which some servers let pass, and which
            Django could not read.
    """
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return 0
    if len(values) > 1 or not values[0].isdigit():
        raise ValueError("Content-Length must be one number.")
    return int(values[0]) if len(values[0]) <= DIGITS else 10**DIGITS


def does_take_files(path: str) -> bool:
    """Return whether the view at a path takes files. A path without a view does not."""
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    admin = getattr(view, "model_admin", None)
    return bool(getattr(view, "takes_files", False) or getattr(admin, "takes_files", False))


async def _refuse(
    application: Application, scope: Scope, receive: Receive, send: Send, status: HTTPStatus
) -> None:
    """Let the application answer with an error page, and end the connection."""

    async def send_and_close(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and scope["http_version"].startswith("1"):
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    await application({**scope, REFUSED: status}, _no_body(), send_and_close)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        await _drop_rest(receive)


def _no_body() -> Receive:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        if messages:
            return messages.pop()
        # Until Django, which waits for the client to go, has sent its response.
        forever: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        return await forever

    return receive


async def _drop_rest(receive: Receive) -> None:
    """Read on for a moment: browsers show no page if their connection closes while they send."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body"):
                pass
