"""Starts `manage.py serve`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from django.conf import settings

from dovetail.devtools.embedded.testing import free_port

LIMIT = 60  # seconds until something happens on a busy machine
WORKERS = 2


class Serve:
    """A server, its log, and the files by which its pages wait for a test."""

    def __init__(self, folder: Path, **changes: str) -> None:
        """Start it.

        Args:
            folder: for its log and these files.
            changes: changes to its environment.
        """
        self.port = free_port()
        self.log = folder / "log"
        self.begun = folder / "begun"
        self.released = folder / "released"
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.dovetail.serving.site",
            "PYTHONPATH": str(settings.BASE_DIR),
            "BEGUN": str(self.begun),
            "RELEASED": str(self.released),
            **changes,
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(settings.PROJECT_DIR / "manage.py"), "serve"),
                    *("--port", str(self.port), "--workers", str(WORKERS)),
                ],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, condition: Callable[[], object], limit: float = LIMIT) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def wait_until_started(self) -> None:
        self.wait_for(lambda: self.says("Started worker") >= WORKERS or self.has_ended())
        assert not self.has_ended(), self.log.read_text()

    def says(self, text: str) -> int:
        return self.log.read_text().count(text)

    def workers(self) -> list[int]:
        """Return the ids of all workers that it has started, in that order."""
        found = re.findall(r"Spawning worker-\d+ with PID: (\d+)", self.log.read_text())
        return [int(pid) for pid in found]

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(self.connect()) as client:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def begin_to_stop(self) -> None:
        """Let it drain: `/readyz` answers 503 until `stop`."""
        self.process.terminate()
        self.wait_for(lambda: self.says("Stopping: ") or self.has_ended())

    def stop(self) -> None:
        """End the drain. The process ends once all requests have."""
        self.process.terminate()

    def end(self) -> None:
        """End it, whatever it does, with its workers."""
        self.released.touch()
        try:
            if not self.has_ended():
                self.begin_to_stop()
                self.stop()
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait()
            for pid in self.workers() if self.process.returncode else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
