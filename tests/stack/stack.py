"""A running stack."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240  # seconds until all is healthy; the first start installs npm packages
STOP_LIMIT = 60  # seconds
SERVERS = {"POSTGRES_PORT": 2, "VALKEY_PORT": 3, "RABBITMQ_PORT": 4}
PORTS = 18  # RabbitMQ takes the twelve after its own, and a test the last one
OFFSETS = {"PORT": 0, "VITE_PORT": 1} | SERVERS
# Variables that would point the application to other services, or configure another stack.
FOREIGN = (
    "PC_",
    "PG",
    "DATABASE_URL",
    "VALKEY_URL",
    "CELERY_BROKER_URL",
    "MEMCACHED_URL",
    "S3_",
    "DJANGO_",
)


class Stack:
    """The stack, with a separate `DATA_DIR` and separate ports.

    Attributes:
        data: its `DATA_DIR`.
        ports: its ports by setting name.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        first = _free_range(PORTS)
        self.ports = {name: first + offset for name, offset in OFFSETS.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self.environment = kept | {
            **{name: str(port) for name, port in self.ports.items()},
            "DATA_DIR": str(data),
            "ENV_FILE": os.devnull,
            "PC_DISABLE_DOTENV": "1",
            "PC_DISABLE_TUI": "1",
            "PC_LOG_FILE": str(data / "process-compose.log"),
            # Relative, because the length of socket paths is limited.
            "PC_SOCKET_PATH": os.path.relpath(data / "socket", ROOT),
        }
        self.opener = build_opener(HTTPCookieProcessor())

    @contextmanager
    def running(self, name: str, times: dict[str, float]) -> Iterator[None]:
        """Run the stack inside the context; afterward, check that it stops with all its processes.

        Args:
            name: the key in `times` for the duration of the start.
            times: receives how long the start and the stop took, in seconds.
        """
        output = self.data / "output.log"
        began = time.monotonic()
        with output.open("w") as file:
            process = subprocess.Popen(
                ["process-compose", "up"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            while not self.is_healthy():
                if process.poll() is not None or time.monotonic() - began > LIMIT:
                    pytest.fail(f"The stack did not start:\n{output.read_text()[-5000:]}")
                time.sleep(0.1)
            times[name] = time.monotonic() - began
            yield
        finally:
            started = descendants(process.pid)
            stopping = time.monotonic()
            process.send_signal(signal.SIGTERM)
            status = process.wait(STOP_LIMIT)
            times[f"stop after {name}"] = time.monotonic() - stopping
        assert status == 0, output.read_text()[-5000:]
        assert not (started & all_processes()), "Processes outlived the stack"
        assert not [name for name, port in self.ports.items() if is_open(port)]
        assert not is_open(self.ports["RABBITMQ_PORT"] + 2), (
            "Erlang's port mapper outlived the stack"
        )
        assert not (self.data / "up.json").exists()

    def is_healthy(self) -> bool:
        """Return whether every process is ready or has completed."""
        try:
            self.command("project", "is-ready")
        except subprocess.CalledProcessError:
            return False  # not ready, or not accepting commands yet
        return True

    def processes(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(self.command("process", "list", "--output", "json"))
        return {state["name"]: state for state in listed}

    def command(self, *arguments: str) -> str:
        """Run a process-compose command and return its output.

        Raises:
            subprocess.CalledProcessError: the command failed.
        """
        return subprocess.run(
            ["process-compose", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def manage(self, *arguments: str, **changes: str) -> str:
        """Run a Django command as in another terminal, with changes to the environment."""
        return subprocess.run(
            ["python", "project/manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | changes,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def get(self, path: str, data: bytes | None = None) -> HTTPResponse:
        """Request a page with the cookies of earlier requests; return error responses too."""
        try:
            url = f"http://localhost:{self.ports['PORT']}{path}"
            return cast("HTTPResponse", self.opener.open(url, data, timeout=20))
        except HTTPError as response:
            return cast("HTTPResponse", response)

    def log(self, name: str) -> str:
        return (self.data / "log" / f"{name}.log").read_text()

    def settings(self) -> dict[str, str]:
        """Return the settings in up.json, which point to the services of the stack."""
        written: dict[str, dict[str, str]] = json.loads((self.data / "up.json").read_text())
        return written["environment"]


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_range(count: int) -> int:
    """Return the first of `count` consecutive free ports, below the ephemeral port range."""
    for first in range(18_330, 32_000, count):
        if not any(is_open(port) for port in range(first, first + count)):
            return first
    pytest.fail("No free ports")


def all_processes() -> set[int]:
    return set(_parents())


def descendants(pid: int) -> set[int]:
    """Return a process and all its descendants."""
    parents = _parents()
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parents() -> dict[int, int]:
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    rows = (line.split() for line in table.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}
