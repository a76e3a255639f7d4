"""Migrates the database beside the traffic of a site."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, OperationalError, connections
from django.db.migrations import Migration

from dovetail.database import migrating
from dovetail.database.limits import limited


class Command(migrate.Command):
    """Django's command, with limits for statements and locks, one process at a time.

    Replaces Django's because the kit is in `INSTALLED_APPS`.
    """

    _current: Migration | None = None

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply or unapply migrations; `--plan` and `--check` need no limits.

        Raises:
            CommandError: another process migrates, a lock could not be had, or a statement took too
                long.
        """
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        connection = connections[options["database"]]
        try:
            with (
                migrating.only_one(connection.alias, self._say_that_it_waits),
                limited(connection, "migrate"),
                connection.execute_wrapper(migrating.wait_for_transactions),
            ):
                self._migrate(*args, **options)
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
        elif action in {"apply_success", "unapply_success"}:
            self._current = None

    def _migrate(self, *args: Any, **options: Any) -> None:
        """Migrate, and go on where a lock could not be had: an atomic migration left nothing."""
        pauses = iter(migrating.PAUSES)
        while True:
            self._current = None
            try:
                super().handle(*args, **options)
            except DatabaseError as error:
                pause = next(pauses, None) if self._can_be_repeated(error) else None
                if pause is None:
                    self._explain(error, options["database"])
                    raise
                self.stdout.write(
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

    def _explain(self, error: DatabaseError, database: str) -> None:
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
            what = f"{self._subject} failed: {str(error).strip()}"
        else:
            return
        remedy = "It left nothing behind. Look for long transactions, then run migrate again."
        if not self._is_atomic:
            remedy = (
                "It is not atomic, so the operations before this one are done. "
                f"{self._describe_invalid_indexes(database)}"
                "Undo what it did, then run migrate again."
            )
        raise CommandError(f"{what}. {remedy}") from error

    @property
    def _subject(self) -> str:
        return str(self._current) if self._current else "migrate"

    def _describe_invalid_indexes(self, database: str) -> str:
        try:
            names = migrating.invalid_indexes(connections[database])
        except OperationalError:
            return ""  # the connection has ended
        return "".join(f"{name} is invalid: DROP INDEX CONCURRENTLY {name}. " for name in names)

    def _say_that_it_waits(self) -> None:
        self.stdout.write(
            "Another migrate is running on this database; waiting until it has ended."
        )
