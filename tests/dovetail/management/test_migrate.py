"""`manage.py migrate` beside transactions that use the same table, and beside another migrate."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pytest_django.fixtures import Settings

from config.settings.parts import database
from dovetail.database import migrating

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("waits")]

LIMIT = 60  # seconds until something happens on a busy machine
WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'rooms_room'::regclass"
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
