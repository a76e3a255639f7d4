"""Handles the ASGI lifespan protocol, which Django does not support.

Without it, Granian logs a warning on every start. The shutdown message is also the only reliable
moment to close a worker's database pools.
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
    """Return an ASGI application that handles lifespan messages.

    Args:
        application: handles everything else.
        on_startup: called in each worker when its event loop is running.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send, on_startup)
        else:
            await application(scope, receive, send)

    return answer


async def _run_lifespan(
    receive: Receive, send: Send, on_startup: Callable[[], None] | None
) -> None:
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
