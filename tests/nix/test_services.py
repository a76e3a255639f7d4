"""What nix/services/run.sh says when a process of the stack cannot run."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nix import ROOT

WRONG = 78  # the status of a wrong configuration


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


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


def refusal(name: str, data: Path, **environment: object) -> str:
    """Return the one sentence that it says."""
    process = start(name, data, **environment)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == WRONG, said
    assert said.count("\n") == 1
    return said


def program(folder: Path, name: str, script: str) -> str:
    """Put a program of that name before the others in PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_busy_port(tmp_path: Path, busy_port: int) -> None:
    assert refusal("memcached", tmp_path, MEMCACHED_PORT=busy_port) == (
        f"memcached: port {busy_port} is taken: stop what listens there, or set MEMCACHED_PORT "
        "to a free one in .env or the environment\n"
    )


@pytest.mark.parametrize("port", ["eighty", "80", "70000", "", "8000;ls"])
def test_what_is_no_port(tmp_path: Path, port: str) -> None:
    assert "VALKEY_PORT must be a port number from 1024 to 65535" in refusal(
        "valkey", tmp_path, VALKEY_PORT=port
    )


def test_the_data_of_another_postgresql(tmp_path: Path, free_port: int) -> None:
    cluster = tmp_path / "services" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("16\n")

    assert refusal("postgres", tmp_path, POSTGRES_PORT=free_port) == (
        f"postgres: {cluster} was made by PostgreSQL 16, this is 17: dump it with that version, "
        "or remove the folder\n"
    )
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_a_stack_that_runs_already(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "up.json").write_text(f'{{\n  "pid": {os.getpid()}\n}}')

    said = refusal("postgres", tmp_path, POSTGRES_PORT=free_port)

    assert f"this checkout's stack runs already (process {os.getpid()}, " in said


def test_the_third_crash_is_the_last(tmp_path: Path, free_port: int) -> None:
    path = program(tmp_path, "memcached", "exit 3")

    process = start("memcached", tmp_path, MEMCACHED_PORT=free_port, PATH=path)
    said = process.communicate(timeout=60)[1]

    assert process.returncode == 3
    assert said.splitlines() == [
        "memcached: ended with status 3; starting it again",
        "memcached: ended with status 3; starting it again",
        (
            "memcached: crashed 3 times, at last with status 3; "
            f"its log is {tmp_path}/log/memcached.log"
        ),
    ]


def test_a_stop_is_no_crash(tmp_path: Path, free_port: int) -> None:
    path = program(tmp_path, "memcached", f"touch {tmp_path}/runs; exec sleep 60")
    process = start("memcached", tmp_path, MEMCACHED_PORT=free_port, PATH=path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "runs").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    os.killpg(process.pid, signal.SIGTERM)

    said = process.communicate(timeout=30)[1]
    assert "starting it again" not in said
    assert process.returncode == 0
