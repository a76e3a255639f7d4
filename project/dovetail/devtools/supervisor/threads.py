"""Runs blocking work in threads."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread that does not delay the end of this process.

    Python waits for the threads of `asyncio.to_thread`, and a migration may take minutes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not future.cancelled():
            outcome()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
            report(future.set_exception, error)
        else:
            report(future.set_result, value)

    def report(setter: Callable[[T], None] | Callable[[BaseException], None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing awaits the result
            loop.call_soon_threadsafe(settle, lambda: setter(what))  # type: ignore[arg-type]

    threading.Thread(target=run, daemon=True).start()
    return await future
