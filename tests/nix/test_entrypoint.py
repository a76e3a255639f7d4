"""Tests for the image's command, run the way a container runs it."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from tests.nix import ROOT

ROLES = "web, worker, beat, migrate, manage, health"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "nix/entrypoint.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("role", "command"),
    [
        (["web"], "python manage.py serve --host 0.0.0.0"),
        (
            ["worker", "--concurrency=4"],
            "celery -A config.celery worker --loglevel=INFO --concurrency=4",
        ),
        (["beat"], "celery -A config.celery beat --loglevel=INFO --schedule=/tmp/beat --pidfile="),
        (["migrate"], "python manage.py migrate --noinput"),
        (["manage", "check", "--deploy"], "python manage.py check --deploy"),
    ],
)
def test_role_execs_its_program(tmp_path: Path, role: list[str], command: str) -> None:
    name = command.split(maxsplit=1)[0]
    (tmp_path / name).write_text('#!/bin/sh\necho "$(basename "$0") $*"; pwd\n')
    (tmp_path / name).chmod(0o755)

    result = run(*role, PATH=f"{tmp_path}:/usr/bin:/bin")

    assert result.stdout.splitlines() == [command, str(ROOT / "project")]


def test_manage_role_runs() -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"

    result = run("manage", "version", PATH=path, DJANGO_SETTINGS_MODULE="config.settings.dev")

    assert result.stdout.strip() == django.get_version(), result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (
            ["wbe"],
            {},
            f"error: unknown role 'wbe'; the roles are {ROLES}.\n",
        ),
        (
            [],
            {},
            f"error: no role given; the roles are {ROLES}.\n",
        ),
    ],
)
def test_invalid_use_is_one_error_message(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run(*arguments, **environment)

    assert (result.returncode, result.stderr) == (1, message)


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
def test_web_is_as_healthy_as_it_says(
    server: http.server.HTTPServer, status: int, expected: int
) -> None:
    server.statuses = {"/livez": status}  # type: ignore[attr-defined]

    result = run("health", "web", PORT=str(server.server_port))

    assert result.returncode == expected
    assert "Traceback" not in result.stderr


def test_web_that_does_not_listen_is_not_healthy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        result = run("health", "web", PORT=str(unused.getsockname()[1]))

    assert result.returncode == 1
    assert result.stderr.startswith("error: web does not answer ")
    assert "Traceback" not in result.stderr


def test_web_is_asked_without_the_proxy_of_the_container(server: http.server.HTTPServer) -> None:
    """Kind: web processes that are stopped although they are well, because a proxy refuses."""
    server.statuses = {"/livez": 200}  # type: ignore[attr-defined]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"

        result = run(
            *("health", "web"),
            PORT=str(server.server_port),
            HTTP_PROXY=proxy,
            http_proxy=proxy,
            NO_PROXY="",
            no_proxy="",
        )

    assert (result.returncode, result.stderr) == (0, "")


def test_port_that_is_no_number_is_one_error_message() -> None:
    result = run("health", "web", PORT="abc")

    assert result.returncode == 1
    assert result.stderr.startswith("error: web does not answer http://127.0.0.1:abc/livez: ")
    assert "Traceback" not in result.stderr


def test_answer_that_is_not_http_is_one_error_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"220 ready\r\n")

        threading.Thread(target=greet, daemon=True).start()
        result = run("health", "web", PORT=str(listener.getsockname()[1]))

    assert result.returncode == 1
    assert result.stderr.startswith("error: web does not answer ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "soon"])
def test_heartbeat_that_is_no_time_is_not_healthy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heartbeat"
    path.write_text(text)

    result = run("health", "worker", HEARTBEAT_PATH=str(path))

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {path} cannot be read: ")


def test_empty_path_of_the_heartbeat_is_the_default(tmp_path: Path) -> None:
    """Kind: .env with `HEARTBEAT_PATH=`, which named the folder of the program."""
    (tmp_path / "celery").write_text('#!/bin/sh\necho "$HEARTBEAT_PATH"\n')
    (tmp_path / "celery").chmod(0o755)

    started = run("worker", HEARTBEAT_PATH="", PATH=f"{tmp_path}:/usr/bin:/bin")

    assert started.stdout.strip() == "/tmp/worker.heartbeat"  # noqa: S108
    assert "Is a directory" not in run("health", "worker", HEARTBEAT_PATH="").stderr


@pytest.mark.parametrize("arguments", [[], ["migrate"], ["web", "worker"]])
def test_health_needs_a_role_that_has_it(arguments: list[str]) -> None:
    result = run("health", *arguments)

    assert result.returncode == 1
    assert result.stderr == "error: give one role after health: web, worker or beat.\n"


def test_help_lists_the_roles() -> None:
    result = run("--help")

    assert result.returncode == 0
    assert "migrate" in result.stdout
