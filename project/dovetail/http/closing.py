"""Lets a process that is about to stop get rid of its connections.

Servers close idle connections when they stop. A proxy that sends a request over one at that moment
gets no answer, so before that, each answer has `Connection: close`.
"""

import signal
import sys
from collections.abc import Mapping
from typing import Any

from dovetail.http import accepting
from dovetail.http.lifespan import Application, Receive, Scope, Send

SIGNAL = signal.SIGUSR2  # `manage.py serve` sends it to a worker a second before it stops it

_is_closing = False


def start() -> None:
    """Close connections after their next answer from now on."""
    global _is_closing  # noqa: PLW0603 - a process stops once
    _is_closing = True


def retire() -> bool:
    """Close connections after their next answer, and leave new ones to other processes.

    Returns:
        Whether that is done: a process that has yet to listen for them is to be told again.
    """
    start()
    return sys.platform != "linux" or accepting.stop()


def with_closing(application: Application) -> Application:
    """Return an ASGI application whose answers close their connections once `start` was called."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Mapping[str, Any]) -> None:
            if _is_closing and message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, closing if scope["type"] == "http" else send)

    return answer
