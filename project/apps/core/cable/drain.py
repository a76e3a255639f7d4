"""Telling browsers that the server stops, in the moment in which it may still speak.

Servers cut their sockets at SIGTERM and end the lifespan only after, when nothing can be sent any
more. So the word goes out from the signal itself, and the server's own handler follows.
"""

import asyncio
import signal
import threading
from types import FrameType

from apps.core.cable.hub import Hub


def say_goodbye_on_stop() -> None:
    """Listen to SIGTERM beside the server; called when a worker's loop runs.

    asyncio hears of a signal through a descriptor to which Python writes whatever handler is set,
    so the server's own still runs, from the loop, after this one.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    previous = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        if hub := Hub.of(loop):
            loop.call_soon_threadsafe(hub.say_goodbye)
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
