"""Tells browsers that the server is about to stop, while it can still send.

On SIGTERM, ASGI servers cut their sockets before they end the lifespan, so by then it is too late.
This handles SIGTERM first, tells the browsers, and then sends the server SIGINT, which stops it in
the same way. Before that, `manage.py serve` sends the signals of `health` and `closing`.
"""

import asyncio
import signal
import threading

from dovetail.cable.hub import Hub
from dovetail.http import closing, health

TIMEOUT = 1.0  # seconds for browsers to receive the message and close


def drain_on_sigterm() -> None:
    """Take over SIGTERM from the server. Call this when a worker's event loop is running."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []  # the event loop itself holds only weak references

    def handle() -> None:
        if not tasks:
            tasks.append(loop.create_task(_drain()))

    loop.add_signal_handler(signal.SIGTERM, handle)
    loop.add_signal_handler(health.DRAIN_SIGNAL, health.drain)
    loop.add_signal_handler(closing.SIGNAL, closing.retire)


async def _drain() -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT
    while (hub := Hub.of(loop)) and loop.time() < deadline:
        hub.announce_restart()  # repeated for sockets that have just connected
        await asyncio.sleep(0.02)
    signal.raise_signal(signal.SIGINT)
