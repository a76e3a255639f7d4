"""Tests for nix/services/run.sh: restarts, and messages when a process cannot run."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovetail.devtools.embedded import testing
from tests.nix import ROOT

MISCONFIGURED = 78  # the exit status for a configuration error


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    return testing.free_port()


def start(name: str, data: Path, **environment: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["bash", "nix/services/run.sh", name],
        cwd=ROOT,
        env=os.environ
        | {"DATA_DIR": str(data)}
        | {name: str(value) for name, value in environment.items()},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def error_of(name: str, data: Path, **environment: object) -> str:
    """Return the one-line error of a process that refuses to start."""
    process = start(name, data, **environment)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == MISCONFIGURED, output
    assert output.count("\n") == 1
    return output


def program(folder: Path, name: str, script: str) -> str:
    """Create a program and return a PATH on which it comes first."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_busy_port_is_refused(tmp_path: Path, busy_port: int) -> None:
    assert error_of("valkey", tmp_path, VALKEY_PORT=busy_port) == (
        f"valkey: port {busy_port} is in use: stop what listens there, or set VALKEY_PORT "
        "to a free port in .env or the environment\n"
    )


@pytest.mark.parametrize("port", ["eighty", "80", "70000", "", "8000;ls"])
def test_invalid_port_is_refused(tmp_path: Path, port: str) -> None:
    assert "VALKEY_PORT must be a port number from 1024 to 65535" in error_of(
        "valkey", tmp_path, VALKEY_PORT=port
    )


def test_data_of_another_postgresql_version_is_refused(tmp_path: Path, free_port: int) -> None:
    cluster = tmp_path / "services" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("16\n")

    assert error_of("postgres", tmp_path, POSTGRES_PORT=free_port) == (
        f"postgres: {cluster} was created by PostgreSQL 16, but this is 17: dump it with that "
        "version, or remove the folder\n"
    )
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_second_stack_is_refused(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "up.json").write_text(f'{{\n  "pid": {os.getpid()}\n}}')

    error = error_of("postgres", tmp_path, POSTGRES_PORT=free_port)

    assert f"this checkout's stack is already running (process {os.getpid()}, " in error


def test_third_crash_is_final(tmp_path: Path, free_port: int) -> None:
    path = program(tmp_path, "valkey-server", "exit 3")

    process = start("valkey", tmp_path, VALKEY_PORT=free_port, PATH=path)
    output = process.communicate(timeout=60)[1]

    assert process.returncode == 3
    assert output.splitlines() == [
        "valkey: exited with status 3; restarting it",
        "valkey: exited with status 3; restarting it",
        f"valkey: crashed 3 times, last with status 3; see {tmp_path}/log/valkey.log",
    ]


def test_stop_does_not_count_as_a_crash(tmp_path: Path, free_port: int) -> None:
    path = program(tmp_path, "valkey-server", f"touch {tmp_path}/runs; exec sleep 60")
    process = start("valkey", tmp_path, VALKEY_PORT=free_port, PATH=path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "runs").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    os.killpg(process.pid, signal.SIGTERM)

    output = process.communicate(timeout=30)[1]
    assert "restarting it" not in output
    assert process.returncode == 0


def test_s3_server_runs_only_if_asked_for(tmp_path: Path) -> None:
    process = start("s3", tmp_path, S3_SERVER="false", S3_PORT=1)
    assert "off: set S3_SERVER=true" in process.communicate(timeout=60)[1]
    assert process.returncode == 0


def test_s3_server_gets_its_key_by_a_file(tmp_path: Path, free_port: int) -> None:
    path = program(tmp_path, "weed", f"printf '%s ' \"$@\" >{tmp_path}/arguments; cat s3.json")
    process = start("s3", tmp_path, S3_SERVER="true", S3_PORT=free_port, PORT=8000, PATH=path)
    process.communicate(timeout=60)

    assert process.returncode == 0
    secret = (tmp_path / "services/s3.password").read_text()
    configuration = tmp_path / "services/s3/s3.json"
    assert secret in configuration.read_text()
    assert configuration.stat().st_mode & 0o077 == 0
    arguments = (tmp_path / "arguments").read_text()
    assert secret not in arguments
    assert f"-s3.port={free_port} " in arguments
