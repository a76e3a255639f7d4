"""The manifest of a backup: what it is of, and what a restoration has to find."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Self

from dovetail.backups.encryption import SUFFIX
from dovetail.backups.errors import BackupError

FORMAT = 1  # raised when an older restore could not read the backup
NAME = "manifest.json"
FILES = "files.jsonl"
UPLOADS = "uploads.jsonl"
DATABASE = "database/"
UPLOAD = "uploads/"


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`, with the names of the attributes as keys.

    Attributes:
        name: of the backup.
        made_at: when the snapshot of the database was taken, in ISO 8601.
        site: the URL of the site.
        release: the version that ran, if the site says so (`SENTRY_RELEASE`).
        django: the version of Django.
        server: the version of the PostgreSQL server, as in `server_version_num`: 170009.
        pg_dump: the major version of the program that wrote the dump.
        migrations: those applied that no other applied one of their app follows: "app.0001_name".
        rows: the number of rows of each table, by its quoted name.
        search_indexes: schema and name of each of ParadeDB's indexes, which are rebuilt.
        extensions: the schema of each extension.
        has_uploads: whether it contains the uploads.
        uploads: how many of them.
        encrypted: whether a key is needed to restore it.
        files: the size and the SHA-256 of `files.jsonl`, which lists the other files.
        format: of the backup.
    """

    name: str
    made_at: str
    site: str
    release: str
    django: str
    server: int
    pg_dump: int
    migrations: list[str]
    rows: dict[str, int]
    search_indexes: list[list[str]]
    extensions: dict[str, str]
    has_uploads: bool
    uploads: int
    encrypted: bool
    files: dict[str, Any]
    format: int = field(default=FORMAT)

    def plain_path(self, path: str) -> str:
        """Return the path that a stored file has when it is decrypted."""
        return path.removesuffix(SUFFIX) if self.encrypted else path

    def dump(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def load(cls, text: bytes, name: str) -> Self:
        """Return a manifest.

        Raises:
            BackupError: it is damaged, of another backup, or of a format of the future.
        """
        try:
            values = json.loads(text)
            newer = values["format"] > FORMAT
            manifest = None if newer else cls(**values)
            if manifest:
                _check_types(manifest)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BackupError(
                f"The manifest of {name} is damaged: restore another backup."
            ) from error
        if manifest is None:
            raise BackupError(
                f"The backup {name} has format {values['format']}, and this version of the site "
                f"reads {FORMAT}: restore it with the version that made it, or a newer one."
            )
        if manifest.name != name:  # its files would be looked for, or deleted, under that name
            raise BackupError(
                f"The manifest of {name} belongs to {manifest.name!r}: give the folder its own "
                "name again, or restore another backup."
            )
        return manifest


def _check_types(made: Manifest) -> None:
    """Make sure that each value is what its attribute says.

    Raises:
        TypeError: one is not.
        ValueError: one is text, but no time.
        KeyError: one is missing.
    """
    _require(list, [made.migrations, made.search_indexes, *made.search_indexes])
    _require(dict, [made.rows, made.extensions, made.files])
    text = [made.name, made.made_at, made.site, made.release, made.django, made.files["sha256"]]
    _require(str, text, made.migrations, *made.search_indexes)
    _require(str, made.rows, made.extensions, made.extensions.values())
    numbers = [made.format, made.server, made.pg_dump, made.uploads, made.files["size"]]
    _require(int, numbers, made.rows.values())
    _require(bool, [made.has_uploads, made.encrypted])
    if any(len(index) != 2 for index in made.search_indexes):  # noqa: PLR2004
        raise ValueError("no schema and name")
    if datetime.fromisoformat(made.made_at).tzinfo is None:
        raise ValueError("no time zone")


def _require(kind: type, *groups: Iterable[Any]) -> None:
    """Make sure that all values are of exactly this type: a bool is not a number.

    Raises:
        TypeError: one is not.
    """
    for value in chain(*groups):
        if type(value) is not kind:
            raise TypeError(f"not {kind.__name__}: {value!r}")


@dataclass(frozen=True)
class Entry:
    """A file: its path, its size in bytes, and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str

    def line(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=True).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Return the entry on a line.

        Raises:
            BackupError: there is none, or its path leads elsewhere.
        """
        try:
            entry = cls(**json.loads(line))
            _require(str, [entry.path, entry.sha256])
            _require(int, [entry.size])
        except (ValueError, TypeError, RecursionError) as error:
            raise BackupError("A list of files is damaged: restore another backup.") from error
        if "\0" in entry.path or not {"", ".", ".."}.isdisjoint(entry.path.split("/")):
            raise BackupError(
                f"The path {entry.path!r} leads out of the backup, which must be forged: restore "
                "another one."
            )
        return entry
