"""Runs what pg_restore makes of a dump, in our own transaction.

Own code because pg_restore's own transaction cannot also delete what was there before, compare the
numbers of rows and hold back the outbox: all of that, or nothing, is to happen. psql could, but is
not in the image, where it would be a way to run other programs.
"""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from dovetail.backups import programs
from dovetail.backups.errors import BackupError

PIECE = b"SELECT pg_catalog.lowrite("  # a statement for some bytes of a large object
BATCH = 1024 * 1024  # bytes of statements that are sent at once
END_OF_ROWS = b"\\.\n"
# That of a transaction for large objects, of which there is one already.
LEFT_OUT = (b"BEGIN;\n", b"COMMIT;\n")
GUARDS = (b"\\restrict ", b"\\unrestrict ")  # that only psql understands
# What each section begins with, up to its first object.
HEADER = (b"\n", b"--", b"SET ", b"SELECT pg_catalog.set_config(", *GUARDS)
# What pg_restore sets there, and the first server that has it: an older one refuses the name.
NEWER = {b"SET transaction_timeout = 0;\n": 170_000}


def restore(
    connection: psycopg.Connection, program: str, dump: Path, listing: str, work: Path
) -> None:
    """Run the statements of a dump.

    Args:
        connection: in a transaction.
        program: pg_restore.
        dump: the folder of a dump.
        listing: what to restore, as `pg_restore --list` writes it.
        work: a folder for the listing.

    Raises:
        BackupError: pg_restore failed.
        psycopg.Error: the server refused a statement.
    """
    chosen = work / "listing"
    chosen.write_text(listing, encoding="utf-8")
    for section in ("pre-data", "data", "post-data"):
        command = [
            program,
            *("--file=-", f"--section={section}", f"--use-list={chosen}"),
            *("--no-owner", "--no-privileges", "--no-tablespaces"),
            *("--no-publications", "--no-subscriptions"),
            str(dump),
        ]
        with _output(command) as lines:
            known = understood(lines, connection.info.server_version)
            if section == "data":
                _load(connection, known)
            else:
                _execute(connection, _without_guards(b"".join(known)))


@contextmanager
def _output(command: list[str]) -> Iterator[IO[bytes]]:
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - a program of the settings
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout
            process.wait()
        finally:
            programs.end(process)
        if process.returncode:
            errors.seek(0)
            raise programs.failed(command[0], errors.read().decode(errors="replace"))


def understood(lines: Iterable[bytes], server: int) -> Iterator[bytes]:
    """Yield the lines of a section, but the settings in its header that the server does not have.

    Args:
        lines: of the section.
        server: the version of the server, such as 150018.
    """
    is_header = True
    for line in lines:
        is_header = is_header and line.startswith(HEADER)
        if not (is_header and server < NEWER.get(line, 0)):
            yield line


def _load(connection: psycopg.Connection, lines: Iterator[bytes]) -> None:
    """Run the section that has rows: COPY with its rows, and statements of a line each."""
    statements: list[bytes] = []
    size = 0
    for line in lines:
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            _execute(connection, b"".join(statements))
            statements.clear()
            size = 0
            _copy(connection, line, lines)
        elif line not in LEFT_OUT and not _is_guard(line):
            statements.append(line)
            size += len(line)
            if size > BATCH and line.startswith(PIECE) and line.endswith(b");\n"):
                _execute(connection, b"".join(statements))
                statements.clear()
                size = 0
    _execute(connection, b"".join(statements))


def _copy(connection: psycopg.Connection, statement: bytes, lines: Iterator[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as rows:
        for line in lines:
            if line == END_OF_ROWS:
                return
            rows.write(line)
        raise BackupError("The dump is cut off within the rows of a table: restore another backup.")


def _execute(connection: psycopg.Connection, statements: bytes) -> None:
    if statements.strip():
        connection.execute(statements)


def _is_guard(line: bytes) -> bool:
    return line.startswith(GUARDS)


def _without_guards(script: bytes) -> bytes:
    """Return a script without its first and its last guard; others are text of a function."""
    lines = script.splitlines(keepends=True)
    guards = [number for number, line in enumerate(lines) if _is_guard(line)]
    for number in {guards[0], guards[-1]} if guards else ():
        lines[number] = b""
    return b"".join(lines)
