"""`manage.py migrate` beside transactions that use the same table, and beside another migrate."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pytest_django.fixtures import Settings

from config.settings.parts import database
from dovetail.database import migrating

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("waits")]

ROOT = Path(__file__).parents[3]
ROLE = f"rooms_{os.getpid()}"
LIMIT = 60  # seconds until something happens on a busy machine
WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'rooms_room'::regclass"
WAITS_FOR_RECORDS = (
    "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'django_migrations'::regclass"
)
WAITS_FOR_TRANSACTION = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid'"
MIGRATE = f"SELECT pg_advisory_xact_lock({migrating.ADVISORY_LOCK})"


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Migrating(threading.Thread):
    """Migrates, with a connection of its own.

    Attributes:
        output: what it has said so far.
        error: why it has failed.
    """

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self.arguments = arguments
        self.output = StringIO()
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            call_command("migrate", *self.arguments, stdout=self.output)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            connections.close_all()

    def end(self) -> None:
        self.join(LIMIT)
        assert not self.is_alive()


@contextmanager
def client(*statements: str) -> Iterator["psycopg.Connection[Any]"]:
    """Yield another connection, in a transaction that has run these statements."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "client_encoding"):
        parameters.pop(name, None)
    with psycopg.connect(**parameters) as other:
        for statement in statements:
            other.execute(statement)
        yield other


@contextmanager
def process(*arguments: str, **databases: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process that migrates the test's database, or another one, as `manage.py` does."""
    script = f"""
        import signal, sys, django
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as a terminal starts it
        from django.conf import settings
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.dovetail.database.rooms"]
        settings.DATABASE_LIMITS = {django_settings.DATABASE_LIMITS!r}
        settings.DATABASES["default"]["NAME"] = {connection.settings_dict["NAME"]!r}
        settings.DATABASES.update({databases!r})
        django.setup()
        from django.core.management import execute_from_command_line
        execute_from_command_line(["manage.py", "migrate", *sys.argv[1:]])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=ROOT,
        # What is said while it waits must be seen without PYTHONUNBUFFERED, too.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def every_transaction_keeps_its_snapshot() -> Iterator[None]:
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
        yield
        cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")


@pytest.fixture
def role() -> Iterator[str]:
    """Return a role that may use the schema, and create nothing there; become it."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA rooms_only; CREATE ROLE {ROLE}")
        cursor.execute(f"GRANT USAGE ON SCHEMA rooms_only TO {ROLE}")
        cursor.execute(f"SET search_path = rooms_only; SET ROLE {ROLE}")
        yield ROLE
        cursor.execute("RESET ROLE; RESET search_path")
        cursor.execute(f"DROP SCHEMA rooms_only CASCADE; DROP ROLE {ROLE}")


def happens(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() is not None


def columns() -> set[str]:
    with connection.cursor() as cursor:
        return {
            column.name
            for column in connection.introspection.get_table_description(cursor, "rooms_room")
        }


@pytest.fixture(autouse=True)
def _rooms(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Create the table of the app, and drop it again."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.dovetail.database.rooms"]
    settings.DATABASE_LIMITS = {"migrate": {"statement_timeout": LIMIT, "lock_timeout": 1}}
    monkeypatch.setattr(migrating, "PAUSES", [0])
    call_command("migrate", "rooms", "0001", verbosity=0)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS room_name")
    call_command("migrate", "rooms", "zero", fake=True, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE rooms_room")


@pytest.mark.parametrize(
    "use", ["SELECT * FROM rooms_room", "INSERT INTO rooms_room (name) VALUES ('Hall')"]
)
def test_waiting_for_a_lock_stops_readers_for_a_moment_only(use: str) -> None:
    """Kind: a site that hangs because a migration waits for a report, and all wait for it."""
    with client(use):
        run = Migrating("rooms", "0002")
        wait_for(lambda: happens(WAITS))
        with client("SELECT * FROM rooms_room"):  # returns, although the first has not ended
            pass
        run.end()

    assert isinstance(run.error, CommandError)
    assert str(run.error) == (
        "rooms.0002_room_floor got no lock within 1 s (DATABASE_MIGRATE_LOCK_TIMEOUT). It left "
        "nothing behind. Look for long transactions, then run migrate again."
    )
    assert "rooms.0002_room_floor got no lock in time; trying again in 0 s" in run.output.getvalue()
    assert columns() == {"id", "name"}


def test_migration_is_tried_again_until_the_lock_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "PAUSES", [0] * LIMIT)
    with client("SELECT * FROM rooms_room"):
        run = Migrating("rooms", "0002")
        wait_for(lambda: "trying again" in run.output.getvalue())
    run.end()

    assert run.error is None
    assert columns() == {"id", "name", "floor"}
    assert happens("SELECT 1 FROM django_migrations WHERE name = '0002_room_floor'")


def test_index_that_blocks_no_one_waits_for_old_transactions() -> None:
    """Kind: an invalid index, because CONCURRENTLY got no lock, though it stopped no one."""
    call_command("migrate", "rooms", "0002", verbosity=0)
    with client("INSERT INTO rooms_room (name) VALUES ('Hall')"):
        run = Migrating("rooms", "0003")
        wait_for(lambda: happens(WAITS_FOR_TRANSACTION) or happens(WAITS))
        run.join(2)  # longer than the limit for locks
        assert run.is_alive()
    run.end()

    assert run.error is None
    assert not migrating.invalid_indexes(connection)


def test_index_that_blocks_no_one_does_not_wait_for_another_migrate() -> None:
    """Kind: two pods that stop each other, because who waits for the other keeps a snapshot."""
    call_command("migrate", "rooms", "0002", verbosity=0)
    with client("INSERT INTO rooms_room (name) VALUES ('Hall')"):
        first = Migrating("rooms", "0003")
        wait_for(lambda: happens(WAITS_FOR_TRANSACTION))
        second = Migrating("rooms", "0003")
        wait_for(lambda: "waiting until" in second.output.getvalue())
    first.end()
    second.end()

    assert [first.error, second.error] == [None, None]
    assert not migrating.invalid_indexes(connection)


@pytest.mark.usefixtures("every_transaction_keeps_its_snapshot")
def test_index_that_blocks_no_one_does_not_wait_for_its_own_lock() -> None:
    """Kind: a migrate that waits for itself, where all transactions keep their snapshots."""
    call_command("migrate", "rooms", "0002", verbosity=0)

    run = Migrating("rooms", "0003")
    run.end()

    assert run.error is None


def test_migration_waits_to_be_recorded() -> None:
    """Kind: an applied migration of which no one knows, because its record got no lock."""
    call_command("migrate", "rooms", "0003", verbosity=0)
    with client("LOCK TABLE django_migrations IN SHARE MODE"):
        run = Migrating("rooms", "0004")
        wait_for(lambda: happens(WAITS_FOR_RECORDS))
        run.join(2)  # longer than the limit for locks
        assert run.is_alive()
    run.end()

    assert run.error is None
    assert happens("SELECT 1 FROM django_migrations WHERE name = '0004_room_code'")


def test_table_is_not_kept_from_others_until_the_migration_is_recorded() -> None:
    """Kind: a site that hangs because the record waits in the transaction that has the table."""
    with client("LOCK TABLE django_migrations IN SHARE MODE"):
        run = Migrating("rooms", "0002")
        run.end()

    assert "rooms.0002_room_floor got no lock within 1 s" in str(run.error)
    assert columns() == {"id", "name"}


@pytest.mark.parametrize(
    ("sql", "lifted"),
    [
        ("SHOW lock_timeout /* CREATE INDEX\nCONCURRENTLY\nname */", True),
        ("SHOW lock_timeout -- concurrently", True),
        ("SHOW lock_timeout", False),
        ("SHOW lock_timeout -- not_CONCURRENTLY_", False),
    ],
)
def test_limit_for_locks_is_lifted_wherever_the_word_is(sql: str, lifted: bool) -> None:
    with connection.cursor() as cursor, connection.execute_wrapper(migrating.wait_for_transactions):
        cursor.execute("SET lock_timeout = '1s'")
        try:
            cursor.execute(sql)
            assert cursor.fetchone() == ("0" if lifted else "1s",)
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("1s",)
        finally:
            cursor.execute("RESET lock_timeout")


def test_without_limits_nothing_is_set(settings: Settings) -> None:
    """Kind: a setting that PgBouncer's pools of transactions give to other clients."""
    settings.DATABASE_LIMITS = {"migrate": {"statement_timeout": 0, "lock_timeout": 0}}
    call_command("migrate", "rooms", "0002", verbosity=0)
    connection.force_debug_cursor = True
    try:
        call_command("migrate", "rooms", "0003", verbosity=0)
        sent = " ".join(str(query["sql"]) for query in connection.queries_log)
    finally:
        connection.force_debug_cursor = False

    assert "CONCURRENTLY" in sent
    assert not re.search(r"\bSET lock|client_connection|set_config", sent)


@pytest.mark.parametrize(
    ("number", "status", "remedy"),
    [
        (signal.SIGTERM, 143, "was stopped by SIGTERM. It is not atomic"),
        (signal.SIGINT, 130, "was stopped by SIGINT. It is not atomic"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_statement_ends_with_the_process(
    settings: Settings, number: int, status: int, remedy: str
) -> None:
    """Kind: a statement that runs on after its migrate, and that the next one meets."""
    settings.DATABASE_LIMITS = {"migrate": {"statement_timeout": 10 * LIMIT, "lock_timeout": 1}}
    call_command("migrate", "rooms", "0002", verbosity=0)
    with client("INSERT INTO rooms_room (name) VALUES ('Hall')"):
        with process("rooms", "0003") as run:
            wait_for(lambda: happens(WAITS_FOR_TRANSACTION) or run.poll() is not None)
            run.send_signal(number)
            _, errors = run.communicate(timeout=LIMIT)
        wait_for(lambda: not happens(WAITS_FOR_TRANSACTION))  # though the client has not ended

    assert run.returncode == status, errors
    assert "Traceback" not in errors
    assert remedy in errors
    assert ("room_name is invalid: DROP INDEX CONCURRENTLY room_name." in errors) == bool(remedy)


def test_stop_while_another_migrate_runs_is_one_sentence() -> None:
    with client(MIGRATE), process("rooms", "0002") as run:
        assert run.stdout
        line = run.stdout.readline()
        run.terminate()
        _, errors = run.communicate(timeout=LIMIT)

    assert "waiting until" in line
    assert run.returncode == 143
    assert errors.strip() == "CommandError: migrate was stopped by SIGTERM. Run migrate again."


def test_role_that_may_not_create_tables_is_named_with_the_remedy(role: str) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("migrate", "rooms", "0002", stdout=StringIO())

    assert "permission denied for schema rooms_only" in str(raised.value)
    assert str(raised.value).endswith(f"GRANT CREATE ON SCHEMA rooms_only TO {role}.")


def test_database_of_another_engine_is_migrated_as_by_django(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    other = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    with process("rooms", "0002", "--database", "other", other=other) as run:
        _, errors = run.communicate(timeout=LIMIT)

    assert run.returncode == 0, errors
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, name, floor FROM rooms_room").fetchall() == []


def test_indexes_of_others_are_not_called_invalid() -> None:
    """Kind: a remedy that drops an index which this migration did not touch, or is being built."""
    call_command("migrate", "rooms", "0002", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX room_other ON rooms_room (floor)")
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'room_other'::regclass"
        )
        cursor.execute("CREATE INDEX room_name ON rooms_room (floor)")
    with pytest.raises(CommandError) as raised:
        call_command("migrate", "rooms", "0003", stdout=StringIO())

    assert str(raised.value) == (
        'rooms.0003_room_name failed: relation "room_name" already exists. It is not atomic, so '
        "the operations before this one are done. Undo what it did, then run migrate again."
    )


def test_index_that_is_being_built_is_not_invalid() -> None:
    call_command("migrate", "rooms", "0002", verbosity=0)
    with client("INSERT INTO rooms_room (name) VALUES ('Hall')"):
        run = Migrating("rooms", "0003")
        wait_for(lambda: happens(WAITS_FOR_TRANSACTION))
        assert happens("SELECT 1 FROM pg_index WHERE NOT indisvalid")
        assert not migrating.invalid_indexes(connection)
    run.end()


def test_index_that_takes_too_long_is_named_with_the_remedy(settings: Settings) -> None:
    settings.DATABASE_LIMITS = {"migrate": {"statement_timeout": 1, "lock_timeout": 1}}
    call_command("migrate", "rooms", "0002", verbosity=0)
    with (
        client("INSERT INTO rooms_room (name) VALUES ('Hall')"),
        pytest.raises(CommandError) as raised,
    ):
        call_command("migrate", "rooms", "0003", stdout=StringIO())

    assert str(raised.value) == (
        "A statement of rooms.0003_room_name was canceled, as are those that take longer than 1 s "
        "(DATABASE_MIGRATE_TIMEOUT). It is not atomic, so the operations before this one are done. "
        "room_name is invalid: DROP INDEX CONCURRENTLY room_name. "
        "Undo what it did, then run migrate again."
    )
    with pytest.raises(CommandError, match=r'"room_name" already exists.* is invalid'):
        call_command("migrate", "rooms", "0003", stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX CONCURRENTLY room_name")
    call_command("migrate", "rooms", "0003", verbosity=0)


def test_limits_end_with_the_command() -> None:
    call_command("migrate", "rooms", "0002", verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
        )
        assert cursor.fetchone() == ("0", "0")


def test_two_at_once_run_one_after_the_other() -> None:
    """Kind: two pods that add the same column, of which one fails."""
    with client(MIGRATE):
        runs = [Migrating("rooms", "0002"), Migrating("rooms", "0002")]
        wait_for(lambda: all("waiting until" in run.output.getvalue() for run in runs))
        assert columns() == {"id", "name"}
        call_command("migrate", "rooms", "--plan", stdout=StringIO())  # needs not wait
    for run in runs:
        run.end()

    assert [run.error for run in runs] == [None, None]
    applied = ["Applying rooms.0002_room_floor" in run.output.getvalue() for run in runs]
    assert sorted(applied) == [False, True]


def test_other_migrate_that_does_not_end_is_named(settings: Settings) -> None:
    settings.DATABASE_LIMITS = {"migrate": {"statement_timeout": 1, "lock_timeout": 1}}
    with (
        client(MIGRATE),
        pytest.raises(CommandError, match=r"^Another migrate is still running.*TIMEOUT says\.$"),
    ):
        call_command("migrate", "rooms", "0002", stdout=StringIO())


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database.DATABASE_LIMITS["migrate"] == {"statement_timeout": 3600, "lock_timeout": 3}
    monkeypatch.undo()
    assert sum(migrating.PAUSES) >= database.DATABASE_LIMITS["worker"]["statement_timeout"]
