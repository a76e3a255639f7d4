"""The database of a backup: its lock, its snapshot, what is in it, and its dump."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import pq, sql

from dovetail.backups import programs
from dovetail.backups.errors import BackupError

LOCK = 0x6261636B  # "back"; of PostgreSQL's advisory locks in this database
LOCK_WAIT = (
    60_000  # milliseconds that counting and dumping wait for a table that a migration changes
)

# Everything that is not PostgreSQL's own, and that no extension brings along.
SCHEMAS = r"nspname <> 'information_schema' AND nspname !~ '^pg_'"
OWN = """NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.deptype = 'e'
  AND d.classid = '{catalog}'::regclass AND d.objid = {alias}.oid)"""
TABLES = f"""
SELECT format('%I.%I', nspname, relname) FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE relkind = 'r' AND relpersistence <> 't' AND {SCHEMAS}
  AND {OWN.format(catalog="pg_class", alias="c")} ORDER BY 1
"""  # noqa: S608 - constants
BM25 = """
SELECT nspname, relname FROM pg_class AS c
JOIN pg_am AS a ON a.oid = c.relam JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE relkind = 'i' AND amname = 'bm25' ORDER BY 1, 2
"""
EXTENSIONS = """
SELECT extname, nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace ORDER BY 1
"""


def parameters() -> dict[str, str]:
    """Return what libpq needs to connect to the site's database."""
    given: dict[str, Any] = connections[DEFAULT_DB_ALIAS].get_connection_params()
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return {
        name: str(value) for name, value in given.items() if name in known and value is not None
    }


@contextmanager
def connect() -> Iterator[psycopg.Connection]:
    """Open a connection without the limits that workers have, and take the lock of backups.

    Raises:
        BackupError: the database is unavailable, or another backup or restoration has the lock.
    """
    try:
        connection = psycopg.connect(**parameters(), autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        raise BackupError(f"The database is unavailable: {one_line(error)}") from error
    with closing(connection):
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(sql.SQL("SET {} = 0").format(sql.Identifier(limit)))
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if not row or not row[0]:
            raise BackupError(
                "Another backup or restoration of this database is running: wait until it has "
                "ended."
            )
        try:
            yield connection
        finally:
            # Before the connection is closed: the server notices that only after a while.
            with suppress(psycopg.Error):
                if connection.info.transaction_status == pq.TransactionStatus.ACTIVE:
                    connection.cancel()  # a signal came during a statement
                connection.rollback()
                connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def one_line(error: BaseException) -> str:
    """Return what libpq or the server said, without its line breaks."""
    return " ".join(str(error).split())


@dataclass(frozen=True)
class Content:
    """What is in a database.

    Attributes:
        rows: the number of rows of each table, by its quoted name.
        search_indexes: schema and name of each of ParadeDB's indexes.
        extensions: the schema of each.
        migrations: the applied ones, as pairs.
        server: the version of the server, such as 170009.
    """

    rows: dict[str, int]
    search_indexes: list[list[str]]
    extensions: dict[str, str]
    migrations: set[tuple[str, str]]
    server: int


def content(connection: psycopg.Connection) -> Content:
    """Return what is in the database, as the transaction of the connection sees it."""
    tables = [name for (name,) in connection.execute(TABLES)]
    applied: set[tuple[str, str]] = set()
    if "public.django_migrations" in tables:
        applied = {
            (app, name)
            for app, name in connection.execute("SELECT app, name FROM public.django_migrations")
        }
    return Content(
        rows={name: count(connection, name) for name in tables},
        search_indexes=[list(row) for row in connection.execute(BM25)],
        extensions=dict(connection.execute(EXTENSIONS).fetchall()),
        migrations=applied,
        server=connection.info.server_version,
    )


def count(connection: psycopg.Connection, table: str) -> int:
    """Return the number of rows of a table, whose name is quoted already."""
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def dump(program: str, connection: psycopg.Connection, folder: Path, jobs: int) -> None:
    """Dump the database as the transaction of the connection sees it.

    Args:
        program: pg_dump.
        connection: in a transaction whose snapshot can be exported.
        folder: to be created, in the work folder.
        jobs: how many tables to dump at once, each with a connection.

    Raises:
        BackupError: it failed.
    """
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None  # noqa: S101 - a function returns a row
    with client_environment(folder.parent) as environment:
        programs.run(
            [
                program,
                *("--format=directory", f"--jobs={jobs}", f"--file={folder}"),
                *(f"--snapshot={row[0]}", f"--lock-wait-timeout={LOCK_WAIT}"),
                *("--no-password", "--dbname=service=backup"),
            ],
            environment,
        )


@contextmanager
def client_environment(folder: Path) -> Iterator[dict[str, str]]:
    """Yield variables with which a program of libpq finds the database as the service "backup".

    The password is in a variable, and the rest in a file that only this user may read: other users
    see the arguments of a command.
    """
    given = parameters()
    password = given.pop("password", "")
    # In the work folder, which the next backup deletes if this process is killed.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder) as file:
        lines = [f"{name}={value}" for name, value in given.items() if value]
        file.write("\n".join(["[backup]", *lines, ""]))
        file.flush()
        secret = {"PGPASSWORD": password} if password else {}
        yield {"PGSERVICEFILE": file.name, **secret}
