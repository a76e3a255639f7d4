"""A site with an empty place for backups, and another, empty database to restore into."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from dovetail.backups import places, programs, uploads
from dovetail.backups.database import TABLES
from dovetail.backups.errors import BackupError
from tests.engines import connect_to, execute_on_server

Elsewhere = Callable[[], AbstractContextManager[None]]
PICTURE = "covers/0123456789abcdef0123456789abcdef.png"


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> places.Folder:
    """Return an empty place, which is that of the settings."""
    folder = tmp_path / "backups"
    folder.mkdir()
    settings.BACKUP_PLACE = {
        "BACKEND": "dovetail.backups.places.Folder",
        "OPTIONS": {"path": folder},
    }
    settings.BACKUP_WORK_DIR = tmp_path / "work"
    settings.BACKUP_RECIPIENTS = []
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return places.Folder(folder)


@pytest.fixture
def client_programs() -> None:
    """Skip a test where PostgreSQL's programs are missing, or older than the server."""
    connection.ensure_connection()
    try:
        programs.pg_dump(connection.connection.info.server_version)
        programs.find("pg_restore")
    except BackupError as error:
        pytest.skip(str(error))


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Return what connects to a new, empty database of the same server for a while."""
    names: list[str] = []
    home = connection.settings_dict["NAME"]

    @contextmanager
    def use() -> Iterator[None]:
        if not names:
            names.append(f"restored_{secrets.token_hex(4)}")
            execute_on_server(f'CREATE DATABASE "{names[0]}" TEMPLATE template0')
        connect_to(names[0])
        try:
            yield
        finally:
            connect_to(home)

    yield use
    for name in names:
        execute_on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def run(command: str, *arguments: Any, **options: Any) -> str:
    """Run a command, and return what it wrote."""
    output = StringIO()
    call_command(command, *arguments, stdout=output, **options)
    return output.getvalue()


def upload(name: str = PICTURE, content: bytes = b"a picture") -> None:
    assert default_storage.save(name, ContentFile(content)) == name


def content_of_tables() -> dict[str, str]:
    """Return a checksum of the rows of each table."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1")  # noqa: S608
            text = "\n".join(row for (row,) in cursor.fetchall())
            found[table] = hashlib.sha256(text.encode()).hexdigest()
    return found


def content_of_uploads() -> dict[str, str]:
    """Return the checksum of each upload."""
    found = {}
    for name in uploads.names():
        with default_storage.open(name) as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def program(folder: Path, name: str, script: str) -> Path:
    """Put a program of this name into a folder; `$real` is where the real ones are."""
    real = Path(programs.find(name)).parent
    path = folder / name
    path.write_text(f"#!/bin/sh\nreal={os.fspath(real)}\n{script}\n")
    path.chmod(0o755)
    return path
