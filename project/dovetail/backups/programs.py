"""Finds and runs PostgreSQL's client programs: pg_dump and pg_restore.

Their folder is the setting PG_BIN, or else they are on PATH.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from dovetail.backups.errors import BackupError

VERSION = re.compile(r"\) ([0-9]+)")
STOP = 10  # seconds that a program has to end


def find(name: str) -> str:
    """Return the path of a program.

    Raises:
        BackupError: it is not installed.
    """
    folder = settings.PG_BIN
    found = shutil.which(name, path=folder or None)
    if found is None:
        where = f"in PG_BIN ({folder})" if folder else "on PATH"
        raise BackupError(
            f"{name} is not {where}: install PostgreSQL's client programs, such as the package "
            "postgresql-client-17, or set PG_BIN to their folder."
        )
    return found


def major(program: str) -> int:
    """Return the major version of a program.

    Raises:
        BackupError: it does not run.
    """
    try:
        output = subprocess.run(  # noqa: S603 - a program of the settings
            [program, "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackupError(f"{program} does not run: {error}. Set PG_BIN to another.") from error
    match = VERSION.search(output)
    if match is None:
        raise BackupError(f"{program} is not PostgreSQL's: set PG_BIN to the folder of it.")
    return int(match[1])


def pg_dump(server: int) -> tuple[str, int]:
    """Return the path of pg_dump and its major version.

    Args:
        server: the version of the server, such as 170009.

    Raises:
        BackupError: it is missing, or older than the server.
    """
    program = find("pg_dump")
    version = major(program)
    if version < server // 10_000:
        raise BackupError(
            f"pg_dump is of PostgreSQL {version}, and the server of {server // 10_000}: install "
            f"postgresql-client-{server // 10_000} or newer, or set PG_BIN to its folder."
        )
    return program, version


def pg_restore(written_by: int) -> str:
    """Return the path of pg_restore.

    Args:
        written_by: the major version of the pg_dump that wrote what it is to read.

    Raises:
        BackupError: it is missing, or older than that.
    """
    program = find("pg_restore")
    version = major(program)
    if version < written_by:
        raise BackupError(
            f"pg_restore is of PostgreSQL {version}, and the backup was made with pg_dump "
            f"{written_by}: install postgresql-client-{written_by} or newer, or set PG_BIN to its "
            "folder."
        )
    return program


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end, and return its output. If this process is stopped, it is, too.

    Raises:
        BackupError: it failed.
    """
    with subprocess.Popen(  # noqa: S603 - a program of the settings
        command,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, errors = process.communicate()
        finally:
            end(process)
    if process.returncode:
        raise failed(command[0], errors)
    return output


def end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Stop a program that still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failed(program: str, errors: str) -> BackupError:
    """Return the error of a program that failed, with what it said first."""
    said = [line for line in errors.splitlines() if "error:" in line or "fatal" in line.lower()]
    reason = (said or errors.splitlines() or ["it gave no reason"])[0]
    return BackupError(f"{Path(program).name} failed: {reason.partition('error: ')[2] or reason}")
