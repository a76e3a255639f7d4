"""Migrates the database beside the traffic of a site."""

import signal
import time
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, connections
from django.db.migrations import Migration
from django.db.migrations.exceptions import MigrationSchemaMissing

from dovetail.database import migrating
from dovetail.database.limits import limited


class Command(migrate.Command):
    """Django's command, with limits for statements and locks, one process at a time.

    Replaces Django's because the kit is in `INSTALLED_APPS`.
    """

    _current: Migration | None = None
    _database: str
    _invalid_before: Collection[str] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply or unapply migrations; `--plan` and `--check` need no limits.

        Raises:
            CommandError: another process migrates, a lock could not be had, a statement took too
                long, the role may not create tables, or the process was stopped.
        """
        connection = connections[options["database"]]
        reads = options["plan"] or options["check_unapplied"]
        if reads or connection.vendor != "postgresql":  # locks and limits are PostgreSQL's
            super().handle(*args, **options)
            return
        self._database = connection.alias
        try:
            with (
                migrating.ended_by_signal(),
                migrating.only_one(connection.alias, self._say_that_it_waits),
                migrating.noticed_by_server(connection),
                limited(connection, "migrate"),
                connection.execute_wrapper(migrating.wait_for_transactions),
            ):
                self._migrate(*args, **options)
        except KeyboardInterrupt as error:
            self._explain_stop(error)
        except migrating.StillMigratingError as error:
            message = (
                "Another migrate is still running on this database. Run this one when it has "
                "ended; it waits for as long as DATABASE_MIGRATE_TIMEOUT says."
            )
            raise CommandError(message) from error

    def migration_progress_callback(
        self, action: str, migration: Any = None, fake: bool = False
    ) -> None:
        super().migration_progress_callback(action, migration, fake)
        if action in {"apply_start", "unapply_start"}:
            self._current = migration
            if not migration.atomic and not fake:
                self._invalid_before = self._invalid_indexes()
        elif action in {"apply_success", "unapply_success"}:
            self._current = None

    def _migrate(self, *args: Any, **options: Any) -> None:
        """Migrate, and go on where a lock could not be had: an atomic migration left nothing."""
        pauses = iter(migrating.PAUSES)
        while True:
            self._current = None
            try:
                super().handle(*args, **options)
            except MigrationSchemaMissing as error:
                raise CommandError(f"{error}{self._describe_grant()}") from error
            except DatabaseError as error:
                pause = next(pauses, None) if self._can_be_repeated(error) else None
                if pause is None:
                    self._explain(error)
                    raise
                self._say(
                    f"\n{self._subject} got no lock in time; trying again in {pause} s. "
                    "Transactions that have used the table hold it."
                )
            else:
                return
            time.sleep(pause)

    @property
    def _is_atomic(self) -> bool:
        return self._current is None or self._current.atomic

    def _can_be_repeated(self, error: DatabaseError) -> bool:
        locked = {migrating.LOCK_NOT_AVAILABLE, migrating.DEADLOCK_DETECTED}
        return self._is_atomic and migrating.sqlstate(error) in locked

    def _explain(self, error: DatabaseError) -> None:
        """Raise a CommandError, if there is more to say than the error does."""
        limits = settings.DATABASE_LIMITS["migrate"]
        state = migrating.sqlstate(error)
        if state == migrating.LOCK_NOT_AVAILABLE and limits["lock_timeout"]:
            what = (
                f"{self._subject} got no lock within {limits['lock_timeout']} s "
                "(DATABASE_MIGRATE_LOCK_TIMEOUT)"
            )
        elif state == migrating.QUERY_CANCELED and limits["statement_timeout"]:
            what = (
                f"A statement of {self._subject} was canceled, as are those that take longer than "
                f"{limits['statement_timeout']} s (DATABASE_MIGRATE_TIMEOUT)"
            )
        elif not self._is_atomic:
            what = f"{self._subject} failed: {str(error).strip().removesuffix('.')}"
        else:
            return
        remedy = "It left nothing behind. Look for long transactions, then run migrate again."
        if not self._is_atomic:
            remedy = self._describe_rest(str(error))
        raise CommandError(f"{what}. {remedy}") from error

    def _explain_stop(self, error: KeyboardInterrupt) -> None:
        number = signal.SIGINT
        if isinstance(error, migrating.TerminatedError):
            number = signal.SIGTERM
        remedy = "Run migrate again."
        if self._current and self._is_atomic:
            remedy = f"It left nothing behind. {remedy}"
        elif not self._is_atomic:
            remedy = self._describe_rest(str(error))
        message = f"{self._subject} was stopped by {number.name}. {remedy}"
        raise CommandError(message, returncode=128 + number) from error

    @property
    def _subject(self) -> str:
        return str(self._current) if self._current else "migrate"

    def _describe_rest(self, error: str) -> str:
        """Say what a migration that is not atomic has left."""
        return (
            "It is not atomic, so the operations before this one are done. "
            f"{self._describe_invalid_indexes(error)}"
            "Undo what it did, then run migrate again."
        )

    def _describe_invalid_indexes(self, error: str) -> str:
        """Name those that are new, and those of a former run that stand in the way."""
        return "".join(
            f"{name} is invalid: DROP INDEX CONCURRENTLY {name}. "
            for name in self._invalid_indexes()
            if name not in self._invalid_before or _bare(name) in error
        )

    def _invalid_indexes(self) -> list[str]:
        try:
            return migrating.invalid_indexes(connections[self._database])
        except DatabaseError:
            return []  # the connection has ended

    def _describe_grant(self) -> str:
        """Return the statement that lets the role create tables; it needs a schema for that."""
        with connections[self._database].cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema()), quote_ident(current_user)")
            schema, role = cursor.fetchone()
        if schema is None:
            return ". None of the schemas in the role's search_path exists: create one."
        return f". Give the role CREATE on the schema: GRANT CREATE ON SCHEMA {schema} TO {role}."

    def _say_that_it_waits(self) -> None:
        self._say("Another migrate is running on this database; waiting until it has ended.")

    def _say(self, text: str) -> None:
        """Write a line that is seen now, and not when the wait is over."""
        self.stdout.write(text)
        self.stdout.flush()


def _bare(name: str) -> str:
    """Return the name of an index without its schema and quotes, as errors have it."""
    return name.rpartition(".")[2].strip('"')
