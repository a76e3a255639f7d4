"""Starts servers as in production: Granian with two workers, Celery, and a real Valkey."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings

from dovetail.devtools.embedded.testing import free_port
from dovetail.devtools.embedded.valkey import find_installed

PROJECT_DIR = Path(__file__).resolve().parents[2] / "project"
LIMIT = 60  # seconds until a server answers


def wait_until(condition: Callable[[], object], what: str, seconds: float = LIMIT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Timed out after {seconds} seconds: {what}"
        time.sleep(0.05)


class Server:
    """A process that can be stopped and started again on its port."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.log = log
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                cwd=PROJECT_DIR,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._started, f"start of {type(self).__name__}")

    def _started(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return self.answers()

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the server for a while; it also runs again for the next test if this one fails."""
        self.stop()
        try:
            yield
        finally:
            self.start()


class Valkey(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = find_installed()
        assert program
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False


class Web(Server):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "granian", "config.asgi:application", "--interface", "asgi"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--workers", "2", "--workers-kill-timeout", "5s"),
        ]

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/livez", timeout=5):  # noqa: S310 - our own server
                return True
        except (URLError, ConnectionError, TimeoutError):
            return False


class Worker(Server):
    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker"),
            *("--pool", "solo", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ]

    def answers(self) -> bool:
        return b"ready." in self.log.read_bytes()


def environment_for(valkey: str) -> dict[str, str]:
    """Return the environment of servers with the tests' database and the Valkey at this URL."""
    database = settings.DATABASES["default"]
    user, password = database["USER"], database["PASSWORD"]
    host = f"{database['HOST']}:{database['PORT']}"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.cable.settings",
        "PYTHONPATH": f"{settings.BASE_DIR}:{settings.PROJECT_DIR}",
        "DATABASE_URL": f"postgres://{user}:{password}@{host}/{database['NAME']}",
        "VALKEY_URL": valkey,
        "CELERY_BROKER_URL": f"{valkey[:-1]}1",
        "SITE_URL": "http://localhost",
        "C_FORCE_ROOT": "1",
        "PYTHONWARNINGS": "ignore",
    }
