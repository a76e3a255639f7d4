"""A client for benchmarks/http.py: a fixed number of connections, as fast as a server answers.

Own code because it must send the same bytes to every server, count what comes back, and run for a
moment at a time, in turns.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass
class Request:
    """A request as bytes, and the status that answers it."""

    data: bytes
    status: int = 200


@dataclass
class Outcome:
    """What came back.

    Attributes:
        answers: how many had the status that was expected.
        failures: how many had not, or broke off.
        others: their statuses, 0 for those that broke off.
        seconds: how long it took.
        times: seconds from sending each request, or from when it was due, to its answer.
    """

    answers: int = 0
    failures: int = 0
    others: set[int] = field(default_factory=set)
    seconds: float = 0
    times: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection at a time, which sends the next request when an answer is complete.

    Without a coroutine, a future or a timeout for each request: they would take as long as many an
    answer, and leave the server idle.
    """

    def __init__(self, port: int, request: Request, outcome: Outcome, until: float) -> None:
        """Create a client.

        Args:
            port: of 127.0.0.1.
            request: what to send.
            outcome: receives what comes back.
            until: when to send no more, on the clock of `time.perf_counter`.
        """
        self.port = port
        self.request = request
        self.outcome = outcome
        self.until = until
        self.done = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._sent = 0.0  # when; 0 while nothing is on its way
        self._buffer = b""
        self._connecting: asyncio.Task[object] | None = None

    def next(self) -> None:
        """Send the request, after connecting if need be, or end."""
        if (now := time.perf_counter()) >= self.until:
            self._end()
        elif self.transport is None:
            self._connecting = asyncio.create_task(self._connect())
        else:
            self._sent = now
            self.transport.write(self.request.data)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        except OSError:
            self._count(0)
            await asyncio.sleep(0.01)
        self.next()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        head = head.lower()
        if b"transfer-encoding: chunked" in head:
            is_whole = body.endswith(b"0\r\n\r\n")
        else:
            _, found, length = head.partition(b"content-length:")
            is_whole = bool(found) and len(body) >= int(length.split(None, 1)[0])
        if is_whole:
            self._buffer = b""
            self._count(int(head[9:12]))
            if b"connection: close" in head:
                self.close()
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.transport = None
        if self._sent:
            self._buffer = b""
            self._count(0)
            self.next()

    def _count(self, status: int) -> None:
        self.outcome.times.append(time.perf_counter() - (self._sent or time.perf_counter()))
        self._sent = 0.0
        if status == self.request.status:
            self.outcome.answers += 1
        else:
            self.outcome.failures += 1
            self.outcome.others.add(status)

    def close(self) -> None:
        """End the connection, and what is on its way."""
        self._sent = 0.0
        if self.transport:
            self.transport.abort()
        self.transport = None

    def _end(self) -> None:
        self.close()
        if not self.done.done():
            self.done.set_result(None)


class PacedClient(Client):
    """Sends when a request is due, and measures from then, also if it had to wait for the last."""

    def __init__(self, *arguments: Any, times: Iterator[float]) -> None:
        super().__init__(*arguments)
        self._times = times

    def next(self) -> None:
        due = next(self._times)
        if due >= self.until:
            self._end()
            return
        delay = due - time.perf_counter()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._send_due, due)
        else:
            self._send_due(due)

    def _send_due(self, due: float) -> None:
        if self.transport is None:
            self._connecting = asyncio.create_task(self._connect_and_send(due))
        else:
            self._sent = due
            self.transport.write(self.request.data)

    async def _connect_and_send(self, due: float) -> None:
        self._sent = due
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        except OSError:
            self._count(0)
            self.next()
            return
        assert self.transport  # noqa: S101 - for mypy
        self.transport.write(self.request.data)


async def send_all(
    port: int, request: Request, seconds: float, connections: int, rate: float = 0
) -> Outcome:
    """Send a request again and again.

    Args:
        port: of 127.0.0.1.
        request: what to send.
        seconds: for how long.
        connections: at most so many requests are on their way.
        rate: requests per second, sent when they are due; 0 for as many as the server answers.
    """
    outcome = Outcome()
    began = time.perf_counter()
    times = (began + number / rate for number in itertools.count()) if rate else None
    clients = [
        PacedClient(port, request, outcome, began + seconds, times=times)
        if times
        else Client(port, request, outcome, began + seconds)
        for _ in range(connections)
    ]
    for client in clients:
        client.next()
    await asyncio.wait([client.done for client in clients], timeout=seconds + 30)
    for client in clients:
        client.close()
    outcome.seconds = time.perf_counter() - began
    return outcome
