"""Restores a backup into a database and a storage of uploads, and says what it found.

The database is restored in one transaction, with the comparison of all numbers of rows: after an
error it is as it was. The uploads come before it: files that no row refers to do no harm.

A restoration takes the site back in time. What waited in the outbox was probably done after the
backup was made, so that it is not done again: it becomes failures of tasks, which staff can retry
or discard.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import Error as DatabaseError, connection as site, connections
from django.db.migrations.executor import MigrationExecutor

from dovetail.backups import (
    database,
    encryption,
    manifest,
    pieces,
    programs,
    script,
    target,
    uploads,
    verifying,
    work,
)
from dovetail.backups.errors import BackupError, Stopped, explain
from dovetail.backups.manifest import Entry, Manifest
from dovetail.backups.places import Place
from dovetail.backups.streams import Counted
from dovetail.tasks.models import OutboxEntry, TaskFailure

HELD = (
    "This call waited in the outbox when the backup was made, and may have been done since. Retry "
    "it only if it was not."
)
Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a restoration is to do.

    Attributes:
        identity: the file of the private key, if the backup is encrypted.
        replace: whether to delete what is in the database, and files of the same names.
        with_uploads: whether to restore the uploads.
        keep_outbox: whether to send what waited in the outbox: only if the site was stopped before
            the backup was made.
        end_sessions: whether to sign everyone out.
    """

    identity: Path | None = None
    replace: bool = False
    with_uploads: bool = True
    keep_outbox: bool = False
    end_sessions: bool = False


def check(place: Place, name: str, options: Options, report: Report) -> Manifest:
    """Do all that a restoration does before it writes, and read the whole backup.

    Raises:
        BackupError: it could not be restored here.
    """
    try:
        made, keys = _prepared(place, name, options)
        with work.folder() as folder, database.connect() as connection:
            target.check(connection, made, replace=options.replace)
            programs.pg_restore(made.pg_dump)
            count = verifying.verify(place, made, keys, folder)
    except OSError as error:
        raise explain(error, "The backup could not be read") from error
    report(f"The {count} files of {made.name} are complete and unchanged.")
    return made


def restore(place: Place, name: str, options: Options, report: Report) -> Manifest:
    """Restore a backup, and bring the database to the version of the code.

    Args:
        place: where it is.
        name: of the backup.
        options: what to do.
        report: called with a line for each step.

    Raises:
        BackupError: it failed. The database is as it was, unless the text says that it is restored.
    """
    connections.close_all()
    try:
        made, keys = _prepared(place, name, options)
        with work.folder() as folder, database.connect() as connection:
            target.check(connection, made, replace=options.replace)
            programs.pg_restore(made.pg_dump)  # an error comes before any work
            _fetch_database(place, made, keys, folder)
            listing = _listing(made, folder)  # what cannot be read replaces no upload
            if options.with_uploads and made.has_uploads:
                count = _restore_uploads(place, made, keys, folder, replace=options.replace)
                report(f"Restored {count} uploads; their checksums are those of the backup.")
            with connection.transaction():
                _restore_database(connection, made, folder, options, report, listing=listing)
    except OSError as error:
        raise explain(error, "The backup could not be restored") from error
    except psycopg.Error as error:
        raise BackupError(
            f"The database refused the backup, and is as it was: {database.one_line(error)}"
        ) from error
    _empty_caches(report)  # first, because they are wrong even if the rest fails
    _bring_up_to_date(report)
    return made


def _prepared(place: Place, name: str, options: Options) -> tuple[Manifest, list[Any]]:
    """Return the manifest of a backup that the code can restore, and the keys for it."""
    made = pieces.read_manifest(place, name)
    if made.encrypted and options.identity is None:
        raise BackupError(
            f"The backup {made.name} is encrypted: give the file of the private key with "
            "--identity."
        )
    keys = encryption.identities(options.identity) if made.encrypted and options.identity else []
    target.check_code(made)
    return made, keys


def _fetch_database(place: Place, made: Manifest, keys: list[Any], folder: Path) -> None:
    dump = folder / "database"
    dump.mkdir()
    with pieces.entries(place, made, folder) as entries:
        for entry in entries:
            if entry.path.startswith(manifest.DATABASE):
                file = dump / Path(made.plain_path(entry.path)).name
                with file.open("xb") as content:
                    pieces.read(place, made.name, entry, content, keys)


def _listing(made: Manifest, folder: Path) -> str:
    """Return what pg_restore says is in the dump."""
    return programs.run([programs.pg_restore(made.pg_dump), "--list", str(folder / "database")])


def _restore_uploads(
    place: Place, made: Manifest, keys: list[Any], folder: Path, *, replace: bool
) -> int:
    count = 0
    with (
        (folder / manifest.UPLOADS).open("w+b") as listed,
        pieces.entries(place, made, folder) as entries,
    ):
        stored = []
        for entry in entries:
            if made.plain_path(entry.path) == manifest.UPLOADS:
                pieces.read(place, made.name, entry, listed, keys)
            elif entry.path.startswith(manifest.UPLOAD):
                stored.append(entry)
        listed.seek(0)
        wanted = [Entry.of(line) for line in listed]
        if len(wanted) != len(stored):
            raise BackupError(
                f"The uploads of {made.name} are others than its list says: restore another backup."
            )
        for entry, upload in zip(stored, wanted, strict=True):  # in the same order
            name = upload.path.removeprefix(manifest.UPLOAD)
            if uploads.same(name, upload.sha256):
                count += 1
                continue
            with work.file(folder) as content:
                plain = Counted(target=content)
                pieces.read(place, made.name, entry, plain, keys)
                if plain.sha256 != upload.sha256:
                    raise BackupError(f"{entry.path} is not the file of that name in the list.")
                content.seek(0)
                uploads.store(name, content, upload.sha256, replace=replace)
            count += 1
    return count


def _restore_database(
    connection: psycopg.Connection,
    made: Manifest,
    folder: Path,
    options: Options,
    report: Report,
    *,
    listing: str,
) -> None:
    program = programs.pg_restore(made.pg_dump)
    if options.replace:
        connection.execute(target.EMPTY.encode())
    chosen, missing = target.choose(listing, connection, made)
    if missing:
        report(f"Left out extensions that this server does not have: {', '.join(missing)}.")
    script.restore(connection, program, folder / "database", chosen, folder)
    tables = {name for (name,) in connection.execute(database.TABLES)}
    for table, rows in made.rows.items():
        if table not in tables:  # also what is no name: it would be run as SQL
            raise BackupError(f"The table {table} is not in the dump: nothing was restored.")
        if (found := database.count(connection, table)) != rows:
            raise BackupError(
                f"The table {table} has {found} rows instead of {rows}: nothing was restored."
            )
    report(f"Restored {sum(made.rows.values())} rows of {len(made.rows)} tables, all of them.")
    if not options.keep_outbox:
        _hold_outbox(connection, made, report)
    if options.end_sessions:
        _end_sessions(connection, report)


def _hold_outbox(connection: psycopg.Connection, made: Manifest, report: Report) -> None:
    outbox, failures = OutboxEntry._meta.db_table, TaskFailure._meta.db_table
    if f"public.{outbox}" not in made.rows:
        return
    statement = f"""
        INSERT INTO public.{failures} (task, task_id, arguments, error, traceback, failed_at)
        SELECT task, task_id, arguments, %s, '', now() FROM public.{outbox} ORDER BY id
        ON CONFLICT DO NOTHING
    """  # noqa: S608 - names of tables
    connection.execute(statement.encode(), [HELD])
    held = connection.execute(f"DELETE FROM public.{outbox}".encode()).rowcount  # noqa: S608
    if held:
        report(
            f"Held back {held} calls that waited in the outbox, such as mail: staff can retry or "
            "discard them among the failures of tasks."
        )


def _end_sessions(connection: psycopg.Connection, report: Report) -> None:
    model = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    table = model._meta.db_table
    ended = connection.execute(f"DELETE FROM public.{table}".encode()).rowcount  # noqa: S608
    report(f"Ended {ended} sessions.")


def _bring_up_to_date(report: Report) -> None:
    """Apply the migrations since the backup, and build what is derived."""
    try:
        executor = MigrationExecutor(site)
        due = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if due:
            names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in due)
            report(f"Applying migrations that are newer than the backup: {names}.")
            call_command("migrate", interactive=False, verbosity=0)
        call_command("search_index", ensure=True, stdout=_Lines(report))
        with site.cursor() as cursor:
            cursor.execute("ANALYZE")
    except (ImproperlyConfigured, CommandError, DatabaseError, Stopped) as error:
        raise BackupError(
            f"The backup is restored, but what follows failed ({database.one_line(error)}): run "
            "`manage.py migrate`, `manage.py search_index --ensure` and ANALYZE in the database."
        ) from error


def _empty_caches(report: Report) -> None:
    for alias in settings.CACHES:
        try:
            caches[alias].clear()
        except Exception as error:  # noqa: BLE001 - of whatever client
            report(f"The cache {alias!r} could not be emptied ({error}): empty it by hand.")


class _Lines:
    """A stream whose lines are reported."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def write(self, text: str) -> None:
        if text.strip():
            self._report(text.strip())
