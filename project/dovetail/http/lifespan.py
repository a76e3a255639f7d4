"""Answers the server's lifespan messages, which Django does not know.

Without an answer Granian logs a warning at each start. It is also the one reliable moment to close
what a worker holds.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import connections

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def with_lifespan(
    application: Application, *, on_startup: Callable[[], None] | None = None
) -> Application:
    """Return an ASGI application that starts and stops with its server.

    Args:
        application: what answers everything else.
        on_startup: called in each worker, once its loop runs.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, on_startup)
        else:
            await application(scope, receive, send)

    return answer


async def _live(receive: Receive, send: Send, on_startup: Callable[[], None] | None) -> None:
    while True:
        message = await receive()
        if on_startup and message["type"] == "lifespan.startup":
            on_startup()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            _close_pools()
            return


def _close_pools() -> None:
    for connection in connections.all(initialized_only=True):
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()
