"""Throwaway services for one test session.

A guard stops them and removes their files when the session ends or is killed.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import redis

from dovetail.devtools.embedded import seaweedfs, valkey
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.client import no_client_variables
from dovetail.devtools.embedded.postgres import START_TIMEOUT, Binaries, Cluster, find_binaries
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.guard import Guard

ATTEMPTS = 3  # another program may take the free port before the server does


@contextmanager
def throwaway_postgres(data_dir: Path, programs: Binaries | None = None) -> Iterator[str]:
    """Run an empty PostgreSQL server that trades durability for speed.

    Meanwhile, this process has no PG* variables, so that whatever connects to the server does not
    take over what the shell sets for others.

    Args:
        data_dir: the checkout's `DATA_DIR`; its embedded PostgreSQL is used, or installed there.
        programs: an installation to use instead.

    Yields:
        The URL of its database.

    Raises:
        SetupError: PostgreSQL could not be installed or started.
    """
    guard = Guard()
    servers: list[subprocess.Popen[bytes]] = []
    try:
        directory = _make_directory(guard)
        account = server_account(directory / "postgres")
        folder = reachable(data_dir, "embedded", account)
        binaries = programs or find_binaries(folder, guard)
        for _ in range(ATTEMPTS):
            cluster = Cluster(directory / "postgres", binaries, free_port(), account)
            cluster.prepare(guard)
            servers.append(_start(cluster, guard, directory / "log"))
            if _answers(cluster.answers, servers[-1]):
                cluster.create_database()
                with no_client_variables():
                    yield cluster.url()
                return
        output = (directory / "log").read_text(errors="replace").strip()
        raise SetupError(f"PostgreSQL did not start: {output[-500:]}")
    finally:
        guard.close(*servers)


@contextmanager
def throwaway_data_dir(data_dir: Path) -> Iterator[Path]:
    """Create a `DATA_DIR` for an `up` started by a test.

    When the tests run as root, PostgreSQL's user cannot enter pytest's temporary folders.

    Args:
        data_dir: the checkout's `DATA_DIR`, whose embedded programs are shared.
    """
    guard = Guard()
    try:
        directory = _make_directory(guard)
        embedded = data_dir / "embedded"
        embedded.mkdir(parents=True, exist_ok=True)
        (directory / "embedded").symlink_to(embedded)
        yield directory
    finally:
        guard.close()


@contextmanager
def throwaway_valkey() -> Iterator[str]:
    """Run an empty Valkey, or the embedded server if none is on PATH, with a password of its own.

    The real one takes a fifth of the processor time.

    Yields:
        Its URL with the password, without a database number.

    Raises:
        SetupError: the server could not be started.
    """
    program = valkey.find_installed()
    with _installed_valkey(program) if program else embedded_valkey() as url:
        yield url


@contextmanager
def _installed_valkey(program: str) -> Iterator[str]:
    guard = Guard()
    servers: list[subprocess.Popen[bytes]] = []
    try:
        directory = Path(tempfile.mkdtemp(prefix="dovetail-"))  # of which others see nothing
        guard.remove_at_end(directory)
        file, log = directory / "valkey.conf", directory / "log"
        for _ in range(ATTEMPTS):
            port, password = free_port(), valkey.new_password()
            file.write_text(valkey.configuration(port, password, directory))
            with log.open("wb") as output:
                server = subprocess.Popen(  # noqa: S603 - trusted arguments
                    guard.wrapped([program, str(file)]),
                    stdin=guard.pipe,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=directory,
                )
            servers.append(server)
            url = valkey.url(port, password)
            if _answers(partial(_is_pinged, url), server):
                yield url
                return
        raise SetupError(f"{program} did not start: {log.read_text(errors='replace')[-500:]}")
    finally:
        guard.close(*servers)


def _is_pinged(url: str) -> bool:
    with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
        return bool(client.ping())
    return False


@contextmanager
def embedded_valkey() -> Iterator[str]:
    """Run an empty embedded server, with a password of its own.

    Yields:
        Its URL with the password, without a database number.

    Raises:
        SetupError: the server could not be started.
    """
    guard = Guard()
    password = valkey.new_password()
    server = subprocess.Popen(  # noqa: S603 - trusted arguments
        guard.wrapped(valkey.command(0)),
        env=os.environ | valkey.environment(password),
        stdin=guard.pipe,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=valkey.PROJECT_DIR,
        text=True,
    )
    assert server.stdout is not None  # noqa: S101 - it is a pipe
    try:
        with server.stdout:
            port = server.stdout.readline().strip().rpartition(" ")[2]
        if not port:
            raise SetupError("The Valkey-protocol server did not start: see its output above.")
        yield valkey.url(int(port), password)
    finally:
        guard.close(server)


@contextmanager
def throwaway_s3(
    data_dir: Path, *origins: str
) -> Iterator[tuple[seaweedfs.Server, subprocess.Popen[bytes]]]:
    """Run an empty S3 server with a bucket.

    Args:
        data_dir: the checkout's `DATA_DIR`; its embedded server is used, or installed there.
        origins: of pages that may send files to the bucket.

    Yields:
        The server, and its process, which leads a group of its own.

    Raises:
        SetupError: it could not be installed or started.
    """
    guard = Guard()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        home = Path(tempfile.mkdtemp(prefix="dovetail-"))
        guard.remove_at_end(home)
        program = seaweedfs.find_program(data_dir / "embedded", guard)
        for _ in range(ATTEMPTS):
            server = seaweedfs.Server(program, home, free_ports(seaweedfs.PORTS))
            server.prepare()
            with (home / "log").open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - trusted arguments
                    guard.wrapped(server.command(), stop_signal=signal.SIGKILL),
                    stdin=guard.pipe,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=home,
                    env=server.own_environment(),
                )
            processes.append(process)
            if _answers(partial(_serves, server), process):
                server.create_bucket(*origins)
                yield server, process
                return
        log = (home / "log").read_text(errors="replace")
        raise SetupError(f"The S3 server did not start: {log[-500:]}")
    finally:
        guard.close(*processes)


def _serves(server: seaweedfs.Server) -> bool:
    with contextlib.suppress(NotReadyError):
        return server.is_ready()
    return False


def free_port() -> int:
    """Return a free port on 127.0.0.1, below the ephemeral port range."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports, below the ephemeral port range.

    An outgoing connection could take a port of that range before the server does.
    """
    while True:
        first = secrets.choice(range(20_000, 32_000, count))
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def _make_directory(guard: Guard) -> Path:
    """Create a folder that PostgreSQL's user can enter and the guard removes when it closes."""
    temporary = Path(tempfile.gettempdir())
    parent = reachable(temporary, ".", server_account(temporary / "none"))
    directory = Path(tempfile.mkdtemp(prefix="dovetail-", dir=parent))
    guard.remove_at_end(directory)
    directory.chmod(0o711)
    return directory


def _start(
    cluster: Cluster, guard: Guard, log: Path, *, durable: bool = False
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - trusted arguments
            guard.wrapped(
                cluster.command(durable=durable),
                stop_signal=signal.SIGINT,
                last_signal=signal.SIGQUIT,
            ),
            stdin=guard.pipe,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=cluster.environment(),
            **cluster.switch,
        )


def _answers(is_asked: Callable[[], bool], server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        if is_asked():
            return True
        time.sleep(0.02)
    return False
