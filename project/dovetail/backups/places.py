"""Where backups are kept: a folder, or a bucket of S3.

Both store files under paths such as `20261129T024500Z-4f9d/database/toc.dat`. Sites may share a
place, since a manifest says whose the backup is; of an incomplete one, nothing does.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from dovetail.backups import manifest
from dovetail.backups.encryption import private_opener
from dovetail.backups.errors import BackupError
from dovetail.backups.streams import Reader, copy

NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}")


class Place(Protocol):
    """Where backups are kept. What goes wrong is an OSError."""

    def names(self) -> list[str]:
        """Return the names of all backups, oldest first, incomplete ones included."""

    def put(self, path: str, content: IO[bytes]) -> None:
        """Store a file, whole or not at all."""

    def open(self, path: str) -> AbstractContextManager[Reader]:
        """Open a file to read it.

        Raises:
            FileNotFoundError: there is none.
        """

    def remove(self, name: str) -> None:
        """Delete a backup, its manifest first, so that what is left of it is not complete."""


class Folder:
    """A folder, which may be on a mounted file system of another machine."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.normpath(path))

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> list[str]:
        if (self.path / manifest.NAME).exists():
            raise BackupError(
                f"{self.path} is a backup itself: give the folder that it is in, "
                f"{self.path.parent}, and its name."
            )
        if not self.path.is_dir():  # as when a volume is not mounted: do not write in its place
            raise BackupError(f"There is no folder {self.path}: create it, or mount it.")
        return sorted(e.name for e in self.path.iterdir() if NAME.fullmatch(e.name) and e.is_dir())

    def put(self, path: str, content: IO[bytes]) -> None:
        target = self._inside(path)
        for folder in reversed(target.relative_to(self.path).parents[:-1]):
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)
        part = target.with_name(f"{secrets.token_hex(8)}.part")  # the name may be as long as can be
        try:
            with open(part, "xb", opener=private_opener) as file:
                copy(content, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
            _sync(target.parent)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def open(self, path: str) -> Iterator[Reader]:
        with self._inside(path).open("rb") as file:
            yield file

    def remove(self, name: str) -> None:
        folder = self._inside(_checked(name))
        (folder / manifest.NAME).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def _inside(self, path: str) -> Path:
        """Return the whole path of a file or of a backup, which stays in the backup's folder."""
        name, target = path.partition("/")[0], self.path / path
        inside = Path(os.path.normpath(target)).is_relative_to(self.path / name)
        if name in {"", ".", ".."} or not inside:
            raise BackupError(f"The path {path!r} leads out of the backup, which must be forged.")
        return target


def _checked(name: str) -> str:
    """Return the name of a backup that is to be deleted: nothing else in the place is."""
    if not NAME.fullmatch(name):
        raise BackupError(f"{name!r} is no name of a backup: nothing was deleted.")
    return name


def _sync(folder: Path) -> None:
    """Write to the disk that a file has got its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Bucket:
    """A bucket, or a part of it whose keys begin with a prefix."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        """Prepare it; nothing is asked yet.

        Args:
            prefix: with a slash at the end, or "".
            options: of `dovetail.media.s3.S3Storage`.
        """
        from dovetail.backups.s3 import PatientStorage  # noqa: PLC0415 - boto3 may not be installed

        self._storage = PatientStorage(**options)
        self._bucket = options["bucket_name"]
        self._prefix = prefix

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def names(self) -> list[str]:
        start = len(self._prefix)
        found = self._storage.folders(self._prefix)
        return sorted(name for key in found if NAME.fullmatch(name := key[start:].rstrip("/")))

    def put(self, path: str, content: IO[bytes]) -> None:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise BackupError(
                f"S3 cannot store {path!r}, whose name is not UTF-8: rename the file, or make the "
                "backup in a folder."
            ) from error
        self._storage.put(self._prefix + path, content)

    @contextmanager
    def open(self, path: str) -> Iterator[Reader]:
        with self._storage.body(self._prefix + path) as body:
            yield body

    def remove(self, name: str) -> None:
        self._storage.remove(f"{self._prefix}{_checked(name)}/{manifest.NAME}")
        for key in self._storage.keys(f"{self._prefix}{name}/"):
            self._storage.remove(key)


def configured() -> Place:
    """Return the place in the settings.

    Raises:
        BackupError: there is none.
    """
    if not settings.BACKUP_PLACE:
        raise BackupError(
            "There is no place for backups: set BACKUP_DIR to a folder, or BACKUP_S3_BUCKET to a "
            "bucket, or name a folder on the command line."
        )
    place: Place = import_string(settings.BACKUP_PLACE["BACKEND"])(
        **settings.BACKUP_PLACE.get("OPTIONS", {})
    )
    return place
