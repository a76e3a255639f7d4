"""The database, the cache, the broker and S3: embedded ones, or those named in the settings."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from dovetail.cache.urls import client_url
from dovetail.devtools.embedded import seaweedfs, valkey
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.postgres import Cluster, find_binaries
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import Ports, connects
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Program

TIMEOUT = 5  # seconds to reach an external service


@dataclass(frozen=True)
class Services:
    """Which services `up` runs itself.

    Attributes:
        ports: the ports that they listen on.
        database, cache, broker, s3: whether `up` runs it.
        password: that of the Valkey-protocol server, which up.json passes on. Each run has another.
    """

    ports: Ports
    database: bool
    cache: bool
    broker: bool
    s3: bool
    password: str = field(default_factory=valkey.new_password, repr=False)

    @classmethod
    def from_settings(cls, ports: Ports, *, s3: bool) -> "Services":
        """Choose the services that are not configured in the settings.

        Raises:
            SetupError: an S3 server is wanted, but the settings name another.
        """
        if s3 and settings.ENV.is_set("S3_BUCKET"):
            raise SetupError(
                "S3_BUCKET is set, so that uploads go there: unset it to use the embedded S3 "
                "server, or leave out --s3."
            )
        return cls(
            ports,
            database=not settings.ENV.is_set("DATABASE_URL"),
            cache=not settings.ENV.is_set("VALKEY_URL"),
            broker=not settings.ENV.is_set("CELERY_BROKER_URL"),
            s3=s3,
        )

    @property
    def valkey(self) -> bool:
        """Whether to run the Valkey-protocol server, which is both cache and broker."""
        return self.cache or self.broker

    def environment(self, cluster: Cluster | None, s3: seaweedfs.Server | None) -> dict[str, str]:
        """Return the settings that point to the embedded services."""
        server = valkey.url(self.ports.valkey, self.password)
        found = {}
        if cluster:
            found["DATABASE_URL"] = cluster.url()
        if self.cache:
            found["VALKEY_URL"] = f"{server}/0"
        if self.broker:
            found["CELERY_BROKER_URL"] = f"{server}/1"
        if s3:
            found |= s3.environment()
        return found

    def program(self, environment: dict[str, str]) -> Program:
        """Return the embedded Valkey-protocol server."""
        return Program(
            name="valkey",
            command=valkey.command(self.ports.valkey),
            cwd=valkey.PROJECT_DIR,
            environment={**environment, **valkey.environment(self.password)},
            is_ready=lambda: connects(self.ports.valkey),
        )


def prepare_cluster(data_dir: Path, port: int, guard: Guard) -> Cluster:
    """Install PostgreSQL and create its cluster, as needed.

    Raises:
        SetupError: one of the two failed.
    """
    account = server_account(data_dir / "postgres")
    binaries = find_binaries(reachable(data_dir, "embedded", account), guard)
    cluster = Cluster(reachable(data_dir, "postgres", account), binaries, port, account)
    cluster.prepare(guard)
    return cluster


def postgres(cluster: Cluster) -> Program:
    """Return the embedded PostgreSQL server."""
    return Program(
        name="postgres",
        command=cluster.command(),
        cwd=Path("/"),
        environment=cluster.environment(),
        is_ready=cluster.check,
        stop_signal=signal.SIGINT,
        last_signal=signal.SIGQUIT,
        switch=cluster.switch,
    )


def prepare_s3(data_dir: Path, port: int, guard: Guard) -> seaweedfs.Server:
    """Install the S3 server if needed, and write its configuration.

    Raises:
        SetupError: there is none for this platform, or it could not be installed.
    """
    program = seaweedfs.find_program(data_dir / "embedded", guard)
    server = seaweedfs.Server(program, data_dir / "s3", port)
    server.prepare()
    return server


def s3(server: seaweedfs.Server) -> Program:
    """Return the embedded S3 server."""
    return Program(
        name="s3",
        command=server.command(),
        cwd=server.home,
        environment=server.own_environment(),
        is_ready=server.is_ready,
        # It would wait for half a minute; what it has acknowledged is on the disk.
        stop_signal=signal.SIGINT,
        last_signal=signal.SIGKILL,
    )


def disable_pool() -> None:
    """Have this process connect without a pool, whose errors hide the cause, and time out early."""
    options = settings.DATABASES["default"].setdefault("OPTIONS", {})
    options.pop("pool", None)
    options["connect_timeout"] = TIMEOUT


def connect_django_to(cluster: Cluster) -> None:
    """Point this process's Django, whose settings are already loaded, to the cluster."""
    settings.DATABASES["default"] |= {
        "HOST": "127.0.0.1",
        "PORT": cluster.port,
        "NAME": settings.PROJECT_NAME,
        "USER": settings.PROJECT_NAME,
        "PASSWORD": cluster.password,
    }


def describe_database() -> str:
    """Connect to the database in DATABASE_URL and return its description.

    Raises:
        SetupError: it cannot be reached.
    """
    where = f"{connection.settings_dict['HOST']}:{connection.settings_dict['PORT'] or 5432}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'),"
                " (SELECT extversion FROM pg_extension WHERE extname = 'pg_search')"
            )
            version, search = cursor.fetchone()
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        raise SetupError(
            f"Cannot use the database at {where} from DATABASE_URL ({reason}): start or create it, "
            "or unset DATABASE_URL to use the embedded one."
        ) from error
    return f"PostgreSQL {version}{f' with pg_search {search}' if search else ''} ({where})"


def describe_cache() -> str:
    """Connect to the server in VALKEY_URL and return its description.

    Raises:
        SetupError: it cannot be reached.
    """
    client = redis.Redis.from_url(
        client_url(settings.VALKEY_URL), socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT
    )
    where = _address(settings.VALKEY_URL)
    try:
        with client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise SetupError(
            f"Cannot reach the server at {where} from VALKEY_URL ({error}): start it, or unset "
            "VALKEY_URL to use the embedded one."
        ) from error
    return f"Valkey at {where}"


def describe_broker() -> str:
    """Connect to the broker in CELERY_BROKER_URL and return its description.

    Raises:
        SetupError: it cannot be reached.
    """
    where = _address(settings.CELERY_BROKER_URL)
    try:
        with kombu.Connection(settings.CELERY_BROKER_URL, connect_timeout=TIMEOUT) as broker:
            broker.ensure_connection(max_retries=1, timeout=TIMEOUT)
    except (OSError, kombu.exceptions.OperationalError) as error:
        raise SetupError(
            f"Cannot reach the broker at {where} from CELERY_BROKER_URL ({error}): start it, or "
            "unset CELERY_BROKER_URL to use the embedded one."
        ) from error
    return f"{settings.CELERY_BROKER_URL.partition(':')[0]} at {where}"


def _address(urls: str) -> str:
    """Return the host and port of each URL, or the path of its socket, without the password."""
    addresses = []
    for url in urls.split(";"):
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        addresses.append(f"{parts.hostname}{port}" if parts.hostname else parts.path)
    return " or ".join(addresses)
