"""Tests for the image's health check; tests/deploy/test_dockerfile.py runs it in the image."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nix import ROOT


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "nix/healthcheck.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.statuses.get(self.path, 404))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1)])
@pytest.mark.parametrize("arguments", [[], ["web"]])
def test_web_is_as_healthy_as_it_says(
    server: http.server.HTTPServer, arguments: list[str], status: int, expected: int
) -> None:
    server.statuses = {"/livez": status}  # type: ignore[attr-defined]

    result = run(*arguments, PORT=str(server.server_port))

    assert result.returncode == expected
    assert "Traceback" not in result.stderr


def test_web_that_does_not_listen_is_not_healthy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        result = run(PORT=str(unused.getsockname()[1]))

    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_worker_of_this_container_is_asked(tmp_path: Path) -> None:
    (tmp_path / "celery").write_text('#!/bin/sh\necho "$*"; pwd\n')
    (tmp_path / "celery").chmod(0o755)

    result = run("worker", PATH=f"{tmp_path}:/usr/bin:/bin")

    command, folder = result.stdout.splitlines()
    assert command.endswith(f"inspect ping --timeout 3 --destination celery@{socket.gethostname()}")
    assert folder == str(ROOT / "project")


def test_role_without_a_check_is_named() -> None:
    result = run("migrate")

    assert result.returncode == 1
    assert result.stderr == (
        "error: no health check for 'migrate'; there are those of web, worker, beat.\n"
    )
