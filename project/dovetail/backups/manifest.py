"""The manifest of a backup: what it is of, and what a restoration has to find."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

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
        search_indexes: schema and name of each of ParadeDB's indexes, which are built anew.
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

    def dump(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def load(cls, text: bytes, name: str) -> Self:
        """Return a manifest.

        Raises:
            BackupError: it is damaged, or of a format of the future.
        """
        try:
            values = json.loads(text)
            newer = values["format"] > FORMAT
            manifest = None if newer else cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise BackupError(
                f"The manifest of {name} is damaged: restore another backup."
            ) from error
        if manifest is None:
            raise BackupError(
                f"The backup {name} has format {values['format']}, and this version of the site "
                f"reads {FORMAT}: restore it with the version that made it, or a newer one."
            )
        return manifest


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
            BackupError: there is none.
        """
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise BackupError("A list of files is damaged: restore another backup.") from error
