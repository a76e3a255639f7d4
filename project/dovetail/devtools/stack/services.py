"""The database, the cache and the broker: ours, or those that the settings name."""

import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from dovetail.devtools.embedded import valkey
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.postgres import Cluster, find_binaries
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import Ports, answers
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Program

TIMEOUT = 5  # seconds to reach a service that somebody else runs


@dataclass(frozen=True)
class Services:
    """Which services are ours to run."""

    ports: Ports
    database: bool
    cache: bool
    broker: bool

    @classmethod
    def wanted(cls, ports: Ports) -> "Services":
        """Choose those that no setting names."""
        return cls(
            ports,
            database=not settings.ENV.is_set("DATABASE_URL"),
            cache=not settings.ENV.is_set("VALKEY_URL"),
            broker=not settings.ENV.is_set("CELERY_BROKER_URL"),
        )

    @property
    def valkey(self) -> bool:
        """One server is both cache and broker."""
        return self.cache or self.broker

    def environment(self, cluster: Cluster | None) -> dict[str, str]:
        """Return the settings that lead to our services."""
        server = f"redis://{valkey.HOST}:{self.ports.valkey}"
        found = {}
        if cluster:
            found["DATABASE_URL"] = cluster.url()
        if self.cache:
            found["VALKEY_URL"] = f"{server}/0"
        if self.broker:
            found["CELERY_BROKER_URL"] = f"{server}/1"
        return found

    def program(self, environment: dict[str, str]) -> Program:
        """Return our Valkey-protocol server."""
        return Program(
            name="valkey",
            command=valkey.command(self.ports.valkey),
            cwd=valkey.PROJECT_DIR,
            environment=environment,
            is_ready=lambda: answers(self.ports.valkey),
        )


def prepare_cluster(data_dir: Path, port: int, guard: Guard) -> Cluster:
    """Install PostgreSQL and make its cluster, unless both are there.

    Raises:
        SetupError: one of them failed.
    """
    account = server_account(data_dir / "postgres")
    binaries = find_binaries(reachable(data_dir, "embedded", account), guard)
    cluster = Cluster(reachable(data_dir, "postgres", account), binaries, port, account)
    cluster.prepare(guard)
    return cluster


def server_of(cluster: Cluster) -> Program:
    return Program(
        name="postgres",
        command=cluster.command(),
        cwd=Path("/"),
        environment=cluster.environment(),
        is_ready=cluster.answers,
        stop_signal=signal.SIGINT,
        last_signal=signal.SIGQUIT,
        switch=cluster.switch,
    )


def connect_plainly() -> None:
    """Have this process do without a pool, whose errors hide the reason, and not wait for long."""
    options = settings.DATABASES["default"].setdefault("OPTIONS", {})
    options.pop("pool", None)
    options["connect_timeout"] = TIMEOUT


def use_in_this_process(cluster: Cluster) -> None:
    """Point this process's Django at the cluster; its settings were read before there was one."""
    settings.DATABASES["default"] |= {
        "HOST": "127.0.0.1",
        "PORT": cluster.port,
        "NAME": settings.PROJECT_NAME,
        "USER": settings.PROJECT_NAME,
        "PASSWORD": cluster.password,
    }


def describe_database() -> str:
    """Reach the database that DATABASE_URL names and say what it is.

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
            f"DATABASE_URL names a database at {where} that cannot be used ({reason}): start or "
            "create it, or remove that setting to use the embedded one."
        ) from error
    return f"PostgreSQL {version}{f' with pg_search {search}' if search else ''} ({where})"


def describe_cache() -> str:
    """Reach the server that VALKEY_URL names and say where it is.

    Raises:
        SetupError: it cannot be reached.
    """
    client = redis.Redis.from_url(
        settings.VALKEY_URL.replace("valkey", "redis", 1),  # redis-py knows its own name only
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
    )
    where = _place(settings.VALKEY_URL)
    try:
        with client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise SetupError(
            f"VALKEY_URL names a server at {where} that does not answer ({error}): start it, or "
            "remove that setting to use the embedded one."
        ) from error
    return f"Valkey at {where}"


def describe_broker() -> str:
    """Reach the broker that CELERY_BROKER_URL names and say where it is.

    Raises:
        SetupError: it cannot be reached.
    """
    where = _place(settings.CELERY_BROKER_URL)
    try:
        with kombu.Connection(settings.CELERY_BROKER_URL, connect_timeout=TIMEOUT) as broker:
            broker.ensure_connection(max_retries=1, timeout=TIMEOUT)
    except (OSError, kombu.exceptions.OperationalError) as error:
        raise SetupError(
            f"CELERY_BROKER_URL names a broker at {where} that does not answer ({error}): start "
            "it, or remove that setting to use the embedded one."
        ) from error
    return f"{settings.CELERY_BROKER_URL.partition(':')[0]} at {where}"


def _place(url: str) -> str:
    """Return the host and port of a URL, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
