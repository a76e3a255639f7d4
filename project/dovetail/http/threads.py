"""Threads that run requests, and the way from them to the event loop.

Own code because a `ThreadPoolExecutor` costs a lock and two futures for each request, and because a
client that reads slowly must not keep a thread from the others: while one waits for such a client,
another takes its place.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from django.db import connections

ROOM = 256 * 1024  # bytes of a stream that may wait for the client
SPARE = 8  # threads at most that take the place of those that wait

logger = logging.getLogger(__name__)


class Threads:
    """A pool of threads that stay, so that each can keep its connections."""

    def __init__(self, number: int) -> None:
        """Create a pool, whose threads start with the first job.

        Args:
            number: how many jobs may run at once.
        """
        self.number = number
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._running: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._spare = threading.Semaphore(SPARE)

    def run(self, job: Callable[[], object]) -> None:
        """Let a thread call a function, whose errors are only logged."""
        if not self._running:
            for _ in range(self.number):
                self._start()
        self._jobs.put(job)

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Let another thread work while this one waits, unless `SPARE` others do already."""
        if not self._spare.acquire(blocking=False):
            yield
            return
        self._start()
        try:
            yield
        finally:
            self._jobs.put(None)  # now there is one too many, and the next that is idle ends
            self._spare.release()

    def close(self, timeout: float) -> None:
        """Let the jobs end, and wait for them.

        Args:
            timeout: in seconds, for all of them.
        """
        deadline = time.monotonic() + timeout
        running = list(self._running)
        for _ in running:
            self._jobs.put(None)
        for thread in running:
            thread.join(max(0, deadline - time.monotonic()))

    def _start(self) -> None:
        # A daemon, because a job that never ends must not keep the process from ending.
        thread = threading.Thread(target=self._work, name="web", daemon=True)
        with self._lock:
            self._running.add(thread)
        thread.start()

    def _work(self) -> None:
        while job := self._jobs.get():
            try:
                job()
            except BaseException:  # nothing replaces a thread that has ended
                logger.exception("A thread of the web process goes on after an error")
            del job  # while it waits for the next one, the thread keeps nothing of this one
        try:
            connections.close_all()
        finally:
            with self._lock:
                self._running.discard(threading.current_thread())


class Messages:
    """What threads tell the event loop: functions to call.

    The loop is woken once for all that come before it gets to run, which saves a system call for
    most of them when it is busy.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._calls: deque[Callable[[], object]] = deque()
        self._is_awake = False

    def send(self, call: Callable[[], object]) -> None:
        """Let the loop call a function, from any thread. A loop that has ended calls nothing."""
        self._calls.append(call)
        if not self._is_awake:
            self._is_awake = True
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._make)

    def _make(self) -> None:
        self._is_awake = False  # first, so that what comes now wakes it again
        while self._calls:
            self._calls.popleft()()


class Pipe:
    """The parts of a response on their way from a thread to the event loop.

    The thread waits while more than `ROOM` bytes are under way, and the loop gets all that has come
    since the last time at once.
    """

    def __init__(self, messages: Messages, threads: Threads) -> None:
        self._messages = messages
        self._threads = threads
        self._changed = threading.Condition()
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._closed = False
        self._ready = asyncio.Event()

    def fill(self, parts: Iterable[bytes]) -> None:
        """Send all parts, as long as someone reads them. Called in the thread; raises nothing."""
        try:
            for part in parts:
                if not self._put(part):
                    break
        except Exception as error:  # noqa: BLE001 - it is raised in the loop
            self._error = error
        except BaseException as error:  # noqa: BLE001 - such as SystemExit, which would end the loop
            self._error = RuntimeError(f"The stream has raised {error!r}")
        self._ended = True
        self._messages.send(self._ready.set)

    def _put(self, part: bytes) -> bool:
        """Return whether someone may still read it."""
        with self._changed:
            if self._size >= ROOM and not self._closed:
                with self._threads.replaced():
                    self._changed.wait_for(lambda: self._size < ROOM or self._closed)
            if self._closed:
                return False
            is_first = not self._parts
            self._parts.append(part)
            self._size += len(part)
        if is_first:
            self._messages.send(self._ready.set)
        return True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what the thread sends, and raise what it has raised."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            ended = self._ended
            with self._changed:
                parts, self._parts, self._size = self._parts, [], 0
                self._changed.notify()
            if parts:
                yield b"".join(parts)
            if ended:
                if self._error:
                    raise self._error
                return

    def close(self) -> None:
        """Tell the thread that the client has gone."""
        with self._changed:
            self._closed = True
            self._changed.notify()
