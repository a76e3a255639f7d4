"""The embedded S3 server."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings

from dovetail.devtools.embedded import seaweedfs
from dovetail.devtools.embedded.testing import free_ports
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.guard import Guard
from tests.cable.servers import wait_until

SECONDS = 15  # for a start, which takes three


@pytest.fixture
def program() -> Iterator[Path]:
    guard = Guard()
    try:
        yield seaweedfs.find_program(settings.DATA_DIR / "embedded", guard)
    except SetupError as error:
        pytest.skip(str(error))
    finally:
        guard.close()


@contextmanager
def running(server: seaweedfs.Server) -> Iterator[Any]:
    """Run the server, and kill it at the end, as `up` does. Yields a client."""
    server.prepare()
    process = subprocess.Popen(
        server.command(), cwd=server.home, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: is_ready(server), "SeaweedFS has not started", SECONDS)
        server.create_bucket("http://site.example")
        yield server.client()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_ready(server: seaweedfs.Server) -> bool:
    try:
        return server.is_ready()
    except NotReadyError:
        return False


@pytest.mark.long("starts the server twice")
@pytest.mark.xdist_group("waits")
def test_files_survive_a_kill_and_another_key(program: Path, tmp_path: Path) -> None:
    """Kind: a server that is up, and does not find its files for another minute."""
    port = free_ports(seaweedfs.PORTS)
    with running(seaweedfs.Server(program, tmp_path, port)) as client:
        client.put_object(Bucket="uploads", Key="covers/oak.webp", Body=b"oak" * 100_000)

    with running(seaweedfs.Server(program, tmp_path, port)) as client:
        found: list[bytes] = []

        def is_found() -> bool:
            with suppress(ClientError):  # its parts find each other in these seconds
                answer = client.get_object(Bucket="uploads", Key="covers/oak.webp")
                found.append(answer["Body"].read())
            return bool(found)

        wait_until(is_found, "the file is found", SECONDS)
        assert found == [b"oak" * 100_000]


def test_only_its_user_reads_the_key(tmp_path: Path) -> None:
    server = seaweedfs.Server(Path("weed"), tmp_path / "s3", 8020)
    server.prepare()

    assert (tmp_path / "s3" / "s3.json").stat().st_mode & 0o077 == 0
    assert server.secret in (tmp_path / "s3" / "s3.json").read_text()


def test_other_platforms_are_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dovetail.devtools.embedded.wheels.platform_key", lambda: "plan9-mips")

    with closing(Guard()) as guard, pytest.raises(SetupError, match=r"mips\): set S3_BUCKET"):
        seaweedfs.find_program(tmp_path, guard)
