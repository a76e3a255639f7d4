"""The access log: one line for each request and each WebSocket, when it has ended.

    {"time": "…", "logger": "dovetail.access", "message": "GET /articles/ 200", "request_id": "…",
     "user_id": "…", "method": "GET", "path": "/articles/", "status": 200, "duration_ms": 12.3,
     "bytes": 5120, "address": "203.0.113.9", "user_agent": "…"}

Own code because Granian's access log knows neither the request's identifier nor its user, and has
the address of the proxy. Query strings are not logged: they contain what people search for, and
tokens. Nor are the secrets of `SECRET_PATHS`, and probes that succeed.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from dovetail.http import health, request_id
from dovetail.http.address import address_of
from dovetail.http.lifespan import Application, Receive, Scope, Send
from dovetail.logs import without_secret

logger = logging.getLogger("dovetail.access")

LOGGED = frozenset({b"x-request-id", b"x-forwarded-for", b"user-agent"})
CLIENT_GONE = 499  # as nginx logs it: the client left before there was an answer
MAX_LENGTH = 500  # characters of what clients send


class Entry:
    """What is known of a request so far; its line in the log."""

    __slots__ = (*("bytes", "headers", "is_written", "request_id", "started", "status", "user_id"),)

    def __init__(self, headers: dict[bytes, bytes], identifier: str) -> None:
        self.headers = headers
        self.request_id = identifier
        self.user_id = ""
        self.status = 0
        self.is_written = False
        self.bytes = 0
        self.started = time.perf_counter()

    def watch(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Note what is sent, and add the identifier to the headers of the answer."""
        match message["type"]:
            case "http.response.body":
                self.bytes += len(message.get("body", b""))
            case "http.response.start":
                self.status = message["status"]
                identifier = (request_id.HEADER.lower().encode(), self.request_id.encode())
                return {**message, "headers": [*message.get("headers", ()), identifier]}
            case "websocket.accept":
                self.status = 101
            case "websocket.close" if not self.status:
                self.status = 403
        return message

    def write(self, scope: Scope) -> None:
        """Write the line, once."""
        if not logger.isEnabledFor(logging.INFO) or self.is_written:
            return
        if scope["path"] in health.PATHS and 0 < self.status < 400:  # noqa: PLR2004
            return
        self.is_written = True
        path = without_secret(scope["path"])[:MAX_LENGTH]
        path = path if path.isprintable() else ascii(path)  # a line break would forge a line
        method = scope.get("method", "WEBSOCKET")
        status = self.status or CLIENT_GONE
        peer = scope.get("client") or ("",)
        forwarded = self.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        fields = {
            "request_id": self.request_id,
            "user_id": self.user_id,
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round((time.perf_counter() - self.started) * 1000, 1),
            "bytes": self.bytes,
            "address": address_of(peer[0], forwarded),
            "user_agent": self.headers.get(b"user-agent", b"").decode("latin-1")[:MAX_LENGTH],
        }
        # Not by info(), which would also look for the line of the call.
        arguments = (method, path, status)
        logger.handle(
            logger.makeRecord(
                logger.name, logging.INFO, "", 0, "%s %s %d", arguments, None, extra=fields
            )
        )


def with_access_log(application: Application) -> Application:
    """Return an ASGI application that logs what the given one answers. Let it be the outermost."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await application(scope, receive, send)
            return
        # Of several X-Forwarded-For headers, the last proxy's comes last.
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in LOGGED:
                before = headers.get(name)
                headers[name] = b"%b,%b" % (before, value) if before else value
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        entry = scope[request_id.ENTRY] = Entry(headers, request_id.choose(given))
        request_id.current.set(entry.request_id)  # for this task

        async def watched(message: Mapping[str, Any]) -> None:
            message = entry.watch(message)
            # Before its last part is sent: a worker that stops may end as soon as it is.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                entry.write(scope)
            await send(message)

        try:
            await application(scope, receive, watched)
        except Exception:
            entry.status = entry.status or 500
            raise
        finally:
            entry.write(scope)

    return answer
