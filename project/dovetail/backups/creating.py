"""Makes a backup."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from dovetail.backups import database, encryption, manifest, pieces, programs, uploads, work
from dovetail.backups.errors import BackupError, explain
from dovetail.backups.manifest import Entry, Manifest
from dovetail.backups.pieces import Writer
from dovetail.backups.places import Place

ABANDONED = timedelta(days=1)  # after which an incomplete backup is not being made any more
Report = Callable[[str], None]


def create(place: Place, *, with_uploads: bool, report: Report) -> Manifest:
    """Make a backup of the database and of the uploads.

    The uploads are copied before the database, and then those that came meanwhile: a row of the
    snapshot never refers to a file that was deleted before it was copied.

    Args:
        place: where to store it.
        with_uploads: whether to copy the uploads.
        report: called with a line for each step.

    Raises:
        BackupError: it failed; nothing of it is left, or it lacks its manifest.
    """
    recipients = encryption.recipients(settings.BACKUP_RECIPIENTS)
    try:
        place.names()  # an error of the place comes before any work
        with work.folder() as folder, database.connect() as connection:
            remove_abandoned(place)
            name = name_for(datetime.now(UTC))
            try:
                with Writer(place, name, recipients, folder) as writer:
                    made = _fill(writer, connection, with_uploads=with_uploads, report=report)
                pieces.put_manifest(place, made)
            except BaseException:
                with suppress(OSError):
                    place.remove(name)
                raise
    except OSError as error:
        raise explain(error, "The backup could not be written") from error
    except psycopg.errors.LockNotAvailable as error:
        raise BackupError(
            "Another process has held a table for a minute, as a migration does: make the backup "
            f"when it has ended ({database.one_line(error)})."
        ) from error
    except psycopg.Error as error:
        raise BackupError(f"The database failed: {database.one_line(error)}") from error
    return made


def name_for(now: datetime) -> str:
    """Return the name of a backup that is begun now: later ones come later in the alphabet."""
    fraction = now.microsecond * 0x10000 // 1_000_000  # of the second
    return f"{now.strftime(pieces.TIME)}-{fraction:04x}"


def _fill(
    writer: Writer, connection: psycopg.Connection, *, with_uploads: bool, report: Report
) -> Manifest:
    program, version = programs.pg_dump(connection.info.server_version)
    listed = (writer.work / manifest.UPLOADS).open("w+b")
    done: set[str] = set()

    def copy_uploads() -> None:
        if with_uploads:
            for entry in uploads.back_up(writer, done):
                listed.write(Entry(entry.path, entry.size, entry.sha256).line())

    with listed:
        copy_uploads()
        report(f"Copied {len(done)} uploads.")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(f"SET LOCAL lock_timeout = {database.LOCK_WAIT}".encode())
        made_at = datetime.now(UTC)
        content = database.content(connection)
        dump = writer.work / "database"
        database.dump(program, connection, dump, settings.BACKUP_JOBS)
        connection.execute("ROLLBACK")
        report(f"Dumped {sum(content.rows.values())} rows of {len(content.rows)} tables.")
        _store(writer, dump)
        copy_uploads()
        listed.seek(0)
        if with_uploads:
            writer.put(manifest.UPLOADS, listed)
    return Manifest(
        name=writer.name,
        made_at=made_at.isoformat(timespec="seconds"),
        site=settings.SITE_URL,
        release=settings.SENTRY_RELEASE,
        django=django.__version__,
        server=content.server,
        pg_dump=version,
        migrations=newest_migrations(content.migrations),
        rows=content.rows,
        search_indexes=content.search_indexes,
        extensions=content.extensions,
        has_uploads=with_uploads,
        uploads=len(done),
        encrypted=bool(writer.recipients),
        files=writer.finish(),
    )


def _store(writer: Writer, dump: Path) -> None:
    """Store the files of a dump, deleting each."""
    for path in sorted(dump.iterdir()):
        with path.open("rb") as file:
            writer.put(f"{manifest.DATABASE}{path.name}", file)
        path.unlink()


def newest_migrations(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Return those applied migrations that no other applied one of their app follows."""
    applied = set(applied)
    known = MigrationLoader(None).disk_migrations
    followed = {
        parent
        for key in applied & known.keys()
        for parent in known[key].dependencies
        if parent[0] == key[0]
    }
    return sorted(".".join(key) for key in applied - followed)


def remove_abandoned(place: Place) -> None:
    """Delete what processes that were killed have left of their backups, after a day."""
    until = (datetime.now(UTC) - ABANDONED).strftime(pieces.TIME)
    for name in place.names():
        if name < until and not pieces.has_manifest(place, name):
            place.remove(name)
