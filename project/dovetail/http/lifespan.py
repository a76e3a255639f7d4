"""Handles the ASGI lifespan protocol, which Django does not support.

Without it, Granian logs a warning on every start. The shutdown message is also the only reliable
moment to close a worker's database pools, and to send the last of its telemetry.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import connections

from dovetail import telemetry

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def with_lifespan(
    application: Application,
    *,
    on_startup: Callable[[], None] | None = None,
    on_shutdown: Callable[[], None] | None = None,
) -> Application:
    """Return an ASGI application that handles lifespan messages.

    Args:
        application: handles everything else.
        on_startup: called in each worker when its event loop is running.
        on_shutdown: called in each worker after its last request, in a thread, so that it may wait.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send, on_startup, on_shutdown)
        else:
            await application(scope, receive, send)

    return answer


async def _run_lifespan(
    receive: Receive,
    send: Send,
    on_startup: Callable[[], None] | None,
    on_shutdown: Callable[[], None] | None,
) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            telemetry.serve_metrics()
            if on_startup:
                on_startup()
        else:
            # Before the server is told that it may end the process.
            if on_shutdown:
                await asyncio.to_thread(on_shutdown)
            if telemetry.is_started():
                await asyncio.to_thread(telemetry.stop)
            _close_pools()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _close_pools() -> None:
    for connection in connections.all(initialized_only=True):
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()
