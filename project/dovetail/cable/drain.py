"""Telling browsers that the server stops, in the moment in which it may still speak.

Servers cut their sockets at SIGTERM and end the lifespan only after, when nothing can be sent any
more. So SIGTERM is ours: the word goes out first, and the server then hears SIGINT, which it takes
for the same.
"""

import asyncio
import signal
import threading

from dovetail.cable.hub import Hub

LIMIT = 1.0  # second for browsers to hear of it and to close


def say_goodbye_on_stop() -> None:
    """Take SIGTERM over from the server; called when a worker's loop runs."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []  # held, since the loop itself would let it go

    def handle() -> None:
        if not stopping:
            stopping.append(loop.create_task(_stop()))

    loop.add_signal_handler(signal.SIGTERM, handle)


async def _stop() -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LIMIT
    while (hub := Hub.of(loop)) and loop.time() < deadline:
        hub.say_goodbye()  # each time, for those who have just come
        await asyncio.sleep(0.02)
    signal.raise_signal(signal.SIGINT)
