"""Compare the cable with Channels' plain JSON consumer and a bare echo server, in one run.

    uv run benchmarks/cable.py [--sockets 1000] [--rounds 20] [--cycles 20000]

Each runs on one Granian worker, in turns, with the same Valkey (`valkey-server` or `redis-server`
must be on PATH) and the same clients. Reports:

- the private memory of the worker per held socket;
- the time until all sockets have connected and subscribed at once;
- the latency of a 1 kB broadcast to all sockets (p50 and p99), and the worker's CPU time for it;
- how much the cable's memory grows over cycles of connecting, subscribing and dropping.

Linux only, because it reads /proc. Use at most 1,500 sockets, the limit per client address.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from tests.cable.servers import Valkey  # noqa: E402

from dovetail.devtools.embedded.testing import free_port  # noqa: E402
from dovetail.devtools.embedded.valkey import find_installed  # noqa: E402

STREAM = "benchmark"
MARK = b"BENCHMARK"
TEXT = MARK.decode() + "<p>a joint.</p>" * 66  # about 1 kB
AT_ONCE = 100  # concurrent handshakes; the listener's backlog is finite
KIB = 1024


class Kind(NamedTuple):
    name: str
    application: str


KINDS = [
    Kind("cable", "config.asgi:application"),
    Kind("plain", "benchmarks.cable_servers:plain"),
    Kind("echo", "benchmarks.cable_servers:echo"),
]


class Socket(asyncio.Protocol):
    """A minimal client that records when the messages it waits for arrive."""

    def __init__(self, port: int, subscribe: bytes) -> None:
        self.port = port
        self.subscribe = subscribe
        self.ready = asyncio.get_running_loop().create_future()
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport
        host = f"127.0.0.1:{self.port}"
        transport.write(
            f"GET /cable HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: actioncable-v1-json\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if MARK in data:
            self.times += [time.perf_counter()] * data.count(MARK)
        elif b'"welcome"' in data:
            self.transport.write(self.subscribe)
        elif (b'"ready"' in data or b"confirm_subscription" in data) and not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed"))


def frame(text: str) -> bytes:
    data = text.encode()
    head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else (  # noqa: PLR2004
        bytes([0x81, 0x80 | 126]) + len(data).to_bytes(2, "big")
    )  # fmt: skip
    return head + bytes(4) + data


class Worker:
    """A Granian server with one worker."""

    def __init__(self, kind: Kind, environment: dict[str, str]) -> None:
        self.kind = kind
        self.port = free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", kind.application, "--interface", "asgi"),
                *("--host", "127.0.0.1", "--port", str(self.port)),
                *("--workers", "1", "--workers-kill-timeout", "3s", "--backlog", "4096"),
                *("--log-level", "error"),
            ],
            cwd=ROOT / "project",
            env=environment | {"_RJEM_MALLOC_CONF": "cache_oblivious:false"},  # as in the image
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The serving process, which is the last child of the one started here."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[-1])

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)

    def memory(self) -> int:
        """Return the worker's private memory in KiB."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in rollup.splitlines() if "Private_" in line)

    def cpu(self) -> float:
        """Return the worker's CPU time in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def connect(self, subscribe: bytes) -> Socket:
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(
            lambda: Socket(self.port, subscribe), "127.0.0.1", self.port
        )
        await asyncio.wait_for(socket.ready, 120)
        return socket

    async def wait(self) -> None:
        for _ in range(600):
            try:
                (await self.connect(identifier())).transport.abort()
                return  # noqa: TRY300
            except OSError:
                await asyncio.sleep(0.1)
        sys.exit(f"error: {self.kind.name} did not start")


def identifier() -> bytes:
    from dovetail.cable.streams import sign  # noqa: PLC0415 - needs the settings

    channel = "TurboStreamsChannel"
    params = {"channel": channel, "signed_stream_name": sign(channel, STREAM, None)}
    return frame(json.dumps({"command": "subscribe", "identifier": json.dumps(params)}))


async def connect_all(worker: Worker, count: int) -> list[Socket]:
    gate = asyncio.Semaphore(AT_ONCE)
    subscribe = identifier()

    async def one() -> Socket:
        async with gate:
            return await worker.connect(subscribe)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def broadcast(layer: Any, kind: Kind) -> None:
    from dovetail.cable.streams import group_name  # noqa: PLC0415

    if kind.name == "cable":
        payload = json.dumps(TEXT)
        message = {"type": "cable.message", "stream": STREAM, "payload": payload}
        await layer.group_send(group_name(STREAM), message)
    else:
        await layer.group_send("benchmark", {"type": "say", "message": TEXT})


async def one_round(layer: Any, worker: Worker, sockets: list[Socket]) -> tuple[list[float], float]:
    """Broadcast once; return the latency of each socket and the worker's CPU time, in seconds."""
    for socket in sockets:
        socket.times.clear()
    cpu, began = worker.cpu(), time.perf_counter()
    await broadcast(layer, worker.kind)
    while not all(socket.times for socket in sockets):
        await asyncio.sleep(0.01)
        if time.perf_counter() - began > 60:  # noqa: PLR2004
            missing = sum(not socket.times for socket in sockets)
            sys.exit(f"error: {worker.kind.name}: {missing} of {len(sockets)} sockets got nothing")
    await asyncio.sleep(0.05)
    return [socket.times[0] - began for socket in sockets], worker.cpu() - cpu


async def cycle(worker: Worker, count: int) -> int:
    """Connect, subscribe and drop this many sockets; return the worker's memory after it in KiB."""
    subscribe = identifier()

    async def some(share: int) -> None:
        for _ in range(share):
            (await worker.connect(subscribe)).transport.abort()

    await asyncio.gather(*(some(count // 50) for _ in range(50)))
    await asyncio.sleep(7)  # two pings: streams without subscribers are released
    return worker.memory()


@asynccontextmanager
async def workers(environment: dict[str, str]) -> AsyncIterator[list[Worker]]:
    started = [Worker(kind, environment) for kind in KINDS]
    try:
        for worker in started:
            await worker.wait()
        yield started
    finally:
        for worker in started:
            worker.stop()


@contextmanager
def valkey() -> Iterator[str]:
    if find_installed() is None:
        sys.exit("error: no valkey-server or redis-server on PATH")
    with tempfile.TemporaryDirectory() as directory:
        server = Valkey(Path(directory) / "log", dict(os.environ))
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


async def compare(arguments: argparse.Namespace, environment: dict[str, str]) -> None:
    from channels.layers import get_channel_layer  # noqa: PLC0415 - needs the settings

    layer = get_channel_layer()
    sockets: dict[str, list[Socket]] = {}
    row("", *(kind.name for kind in KINDS))
    row("---", *("---:" for _ in KINDS))
    async with workers(environment) as all_workers:
        at_once, memory = [], []
        for worker in all_workers:
            before, began = worker.memory(), time.perf_counter()
            sockets[worker.kind.name] = await connect_all(worker, arguments.sockets)
            at_once.append(f"{time.perf_counter() - began:.1f} s")
            await asyncio.sleep(1)
            memory.append(f"{(worker.memory() - before) / arguments.sockets:.0f} KiB")
        row("memory per socket", *memory)
        row(f"{arguments.sockets} connect and subscribe at once", *at_once)

        times: dict[str, list[float]] = {"cable": [], "plain": []}
        cpus: dict[str, list[float]] = {"cable": [], "plain": []}
        for _ in range(arguments.rounds):
            for worker in all_workers[:2]:
                name = worker.kind.name
                seconds, cpu = await one_round(layer, worker, sockets[name])
                times[name] += seconds
                cpus[name].append(cpu)
        for title, share in (("p50", 50), ("p99", 99)):
            values = [statistics.quantiles(times[name], n=100)[share - 1] for name in times]
            row(f"broadcast to {arguments.sockets}, {title}",
                *(f"{value * 1000:.0f} ms" for value in values), "")  # fmt: skip
            print(f"<!-- {title}: {values[1] / values[0]:.2f} times faster than plain -->")
        row(
            "CPU time per broadcast",
            *(f"{statistics.mean(cpus[name]) * 1000:.0f} ms" for name in cpus),
            "",
        )

        for group in sockets.values():
            for socket in group:
                socket.transport.abort()
        await asyncio.sleep(2)  # until the servers have noticed

    soak = Worker(KINDS[0], environment)
    try:
        await soak.wait()
        # The first cycles fill what stays: caches, threads and the allocator's reserve.
        first = await cycle(soak, max(arguments.cycles // 4, 500))
        last = await cycle(soak, arguments.cycles)
    finally:
        soak.stop()
    growth = f"{(last / first - 1) * 100:+.1f} % ({first / KIB:.0f} to {last / KIB:.0f} MiB)"
    row(f"memory growth over {arguments.cycles} cycles", growth, "", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cycles", type=int, default=20_000)
    arguments = parser.parse_args()
    with valkey() as url:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "VALKEY_URL": url,
            "PYTHONPATH": f"{ROOT / 'project'}:{ROOT}",
            "DEBUG": "false",
            "EMAIL_URL": "smtp://localhost:25",
            "PYTHONWARNINGS": "ignore",
        }
        os.environ.update(environment)
        import django  # noqa: PLC0415 - needs the environment

        django.setup()
        asyncio.run(compare(arguments, environment))


if __name__ == "__main__":
    main()
