"""The database, the cache and the broker: embedded ones, or those named in the settings."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from dovetail.cache.urls import client_url
from dovetail.devtools.embedded import valkey
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
        database, cache, broker: whether `up` runs it.
        password: that of the Valkey-protocol server, which up.json passes on. Each run has another.
    """

    ports: Ports
    database: bool
    cache: bool
    broker: bool
    password: str = field(default_factory=valkey.new_password, repr=False)

    @classmethod
    def from_settings(cls, ports: Ports) -> "Services":
        """Choose the services that are not configured in the settings."""
        return cls(
            ports,
            database=not settings.ENV.is_set("DATABASE_URL"),
            cache=not settings.ENV.is_set("VALKEY_URL"),
            broker=not settings.ENV.is_set("CELERY_BROKER_URL"),
        )

    @property
    def valkey(self) -> bool:
        """Whether to run the Valkey-protocol server, which is both cache and broker."""
        return self.cache or self.broker

    def environment(self, cluster: Cluster | None) -> dict[str, str]:
        """Return the settings that point to the embedded services."""
        server = valkey.url(self.ports.valkey, self.password)
        found = {}
        if cluster:
            found["DATABASE_URL"] = cluster.url()
        if self.cache:
            found["VALKEY_URL"] = f"{server}/0"
        if self.broker:
            found["CELERY_BROKER_URL"] = f"{server}/1"
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
