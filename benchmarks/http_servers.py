"""The servers that benchmarks/http.py compares, each as one would start it in production."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.http_load import Request, send_all

from dovetail.devtools.embedded.testing import free_port

WORKERS = 2
CONNECTIONS = 16
FIRST = "gunicorn, 2 sync workers"
OURS = "manage.py serve"
EARLIER = "gunicorn, 2 sync workers, before"
TICK = os.sysconf("SC_CLK_TCK")
START_LIMIT = 90  # seconds
KIB = 1024


@dataclass
class Kind:
    """A server: its name, and its command with `{port}`."""

    name: str
    command: list[str]
    is_wsgi: bool = False
    is_ours: bool = False
    pages: tuple[str, ...] = ()  # all if empty

    def serves(self, page: str) -> bool:
        return not self.pages or page in self.pages


def gunicorn(name: str, workers: int) -> Kind:
    command = ["gunicorn", "--workers", str(workers), "--bind", "127.0.0.1:{port}"]
    return Kind(name, [*command, "--backlog", "512", "benchmarks.http_apps:wsgi()"], is_wsgi=True)


def granian(name: str, interface: str, target: str, *options: str, **fields: object) -> Kind:
    command = ["granian", "--interface", interface, "--host", "127.0.0.1", "--port", "{port}"]
    command += ["--http", "1", "--workers", str(WORKERS), "--workers-kill-timeout", "5s"]
    command += ["--no-access-log", "--log-level", "error", *options, "--factory", target]
    return Kind(name, command, is_wsgi=interface == "wsgi", **fields)  # type: ignore[arg-type]


KINDS = [
    gunicorn(FIRST, WORKERS),
    gunicorn("gunicorn, 5 sync workers", 5),
    Kind(
        "gunicorn + uvicorn",
        [
            *("gunicorn", "--workers", str(WORKERS), "--bind", "127.0.0.1:{port}"),
            *("-k", "uvicorn_worker.UvicornWorker", "benchmarks.http_apps:asgi()"),
        ],
    ),
    granian("Granian, stock Django", "asgi", "benchmarks.http_apps:asgi"),
    granian("Granian WSGI", "wsgi", "benchmarks.http_apps:wsgi", "--blocking-threads", "2"),
    granian("bare", "asgi", "benchmarks.http_apps:bare", pages=("text", "JSON list", "async view")),
    Kind(OURS, ["manage.py", "serve"], is_ours=True),
]


class Server:
    """A running server."""

    def __init__(self, kind: Kind, project: Path, environment: dict[str, str], log: Path) -> None:
        self.kind = kind
        self.port = free_port()
        environment = environment | {"PORT": str(self.port), "WEB_CONCURRENCY": str(WORKERS)}
        if kind.is_wsgi:
            environment["KEEP_CONNECTION"] = "1"
        elif not kind.is_ours:
            environment["DATABASE_POOL_SIZE"] = "8"
        command = [part.replace("{port}", str(self.port)) for part in kind.command]
        if not kind.is_ours:
            command = ["-m", *command]
        self.log = log
        self.began = time.perf_counter()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=project,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait(self, request: Request) -> float:
        """Return the seconds from the start of the process until it has answered a request."""
        while not (await send_all(self.port, request, 0.001, 1)).answers:
            if self.process.poll() is not None or time.perf_counter() - self.began > START_LIMIT:
                sys.exit(f"error: {self.kind.name} did not start:\n{self.log.read_text()[-3000:]}")
            await asyncio.sleep(0.02)
        started = time.perf_counter() - self.began
        await send_all(self.port, request, 0.5, CONNECTIONS)  # until each worker has started
        return started

    @cached_property
    def processes(self) -> list[Path]:
        """The folders of its processes, when it serves: it starts no others in a benchmark."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return [Path(f"/proc/{pid}") for pid in sorted(found)]

    def cpu(self) -> float:
        """Return the processor time of its processes, in seconds."""
        ticks = 0
        for folder in self.processes:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def memory(self) -> float:
        """Return the memory of its processes (PSS), in MiB."""
        rollups = [(folder / "smaps_rollup").read_text() for folder in self.processes]
        lines = [line for rollup in rollups for line in rollup.splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / KIB

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
