"""Tells browsers that the server is about to stop, while it can still send.

On SIGTERM, ASGI servers cut their sockets before they end the lifespan, so by then it is too late.
This handles SIGTERM first, tells the browsers, and then sends the server SIGINT, which stops it in
the same way. Before that, `manage.py serve` sends the signals of `health` and `closing`.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from dovetail.cable.hub import Hub
from dovetail.http import closing, health

PAUSE = 0.02  # seconds
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

    def retire() -> None:
        if not closing.retire():  # it is about to
            loop.call_later(PAUSE, retire)

    loop.remove_signal_handler(signal.SIGTERM)  # the server's
    _handle(loop, signal.SIGTERM, handle)
    _handle(loop, health.DRAIN_SIGNAL, health.drain)
    _handle(loop, closing.SIGNAL, retire)
    # `manage.py serve` has held them back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, health.SIGNALS)


def _handle(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, function: Callable[[], None]
) -> None:
    """Have the loop call a function after a signal.

    Its own `add_signal_handler` may lose one that comes while the loop does not run: uvloop does,
    and servers run it once for the start of the application and once to serve.
    """

    def handle(*_: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and the process will
            loop.call_soon_threadsafe(function)

    signal.signal(number, handle)


async def _drain() -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT
    await asyncio.sleep(PAUSE)  # by then it serves: the server's handler may lose the signal, too
    while (hub := Hub.of(loop)) and loop.time() < deadline:
        hub.announce_restart()  # repeated for sockets that have just connected
        await asyncio.sleep(PAUSE)
    signal.raise_signal(signal.SIGINT)
