"""Writes the files of a backup, and reads them: encrypted, and with checksums."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Self

from dovetail.backups import encryption, manifest, work
from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import Entry, Manifest
from dovetail.backups.places import Place
from dovetail.backups.streams import Counted, Reader, copy

TIME = "%Y%m%dT%H%M%SZ"  # with which the name of a backup begins
AHEAD = timedelta(hours=1)  # that the clocks of machines may differ


@dataclass
class Writer:
    """Writes the files of one backup.

    Attributes:
        place: where.
        name: of the backup.
        recipients: to whom files are encrypted; none to leave them as they are.
        work: a folder for files on their way.
    """

    place: Place
    name: str
    recipients: list[Any]
    work: Path
    index: IO[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.index = (self.work / manifest.FILES).open("w+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()

    def put(self, path: str, source: Reader) -> Entry:
        """Store a file, and return its path, size and checksum before the encryption."""
        suffix = encryption.SUFFIX if self.recipients else ""
        # In between, because a checksum belongs to what is sent, and S3 has to know its size.
        with work.file(self.work) as piece:
            plain, stored = Counted(source), Counted(target=piece)
            if self.recipients:
                encryption.encrypt(plain, stored, self.recipients)
            else:
                copy(plain, stored)
            piece.seek(0)
            self.place.put(f"{self.name}/{path}{suffix}", piece)
        self.index.write(Entry(f"{path}{suffix}", stored.size, stored.sha256).line())
        return Entry(path, plain.size, plain.sha256)

    def finish(self) -> dict[str, Any]:
        """Store the list of the files, and return its size and checksum."""
        self.index.seek(0)
        counted = Counted(self.index)
        with work.file(self.work) as copied:
            copy(counted, copied)
            copied.seek(0)
            self.place.put(f"{self.name}/{manifest.FILES}", copied)
        return {"size": counted.size, "sha256": counted.sha256}


def put_manifest(place: Place, made: Manifest) -> None:
    """Complete a backup."""
    place.put(f"{made.name}/{manifest.NAME}", BytesIO(made.dump()))


def read_manifest(place: Place, name: str) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        BackupError: there is no such backup, or it is incomplete.
    """
    try:
        with place.open(f"{name}/{manifest.NAME}") as file:
            return Manifest.load(file.read(), name)
    except FileNotFoundError as error:
        what = "is incomplete: it has no manifest" if name in place.names() else "does not exist"
        raise BackupError(
            f"The backup {name} in {place} {what}. `manage.py backup --list` shows what is there."
        ) from error


def has_manifest(place: Place, name: str) -> bool:
    try:
        with place.open(f"{name}/{manifest.NAME}"):
            return True
    except FileNotFoundError:
        return False


def complete(place: Place) -> list[Manifest]:
    """Return the manifests of the complete backups, oldest first, but those that are damaged."""
    found = []
    for name in place.names():
        if has_manifest(place, name):
            with suppress(BackupError):
                found.append(read_manifest(place, name))
    return found


def is_of_the_future(at: datetime) -> bool:
    """Return whether a clock must have been wrong at a time: that of this machine, or another's."""
    return at > datetime.now(UTC) + AHEAD


def newest(place: Place, site: str = "") -> str:
    """Return the name of the newest complete backup that is not dated in the future.

    Args:
        place: where it is.
        site: the URL of the site whose backup is preferred, if the place has several.

    Raises:
        BackupError: there is none.
    """
    until = (datetime.now(UTC) + AHEAD).strftime(TIME)
    found = [name for name in place.names() if has_manifest(place, name)]
    dated = [name for name in reversed(found) if name < until]
    if found and not dated:
        raise BackupError(
            f"All backups in {place} are dated in the future: check this machine's clock, or give "
            "the name of one that `manage.py backup --list` shows."
        )
    if not dated:
        raise BackupError(f"There is no complete backup in {place}.")
    own = (name for name in dated if site and _site(place, name) in {site, None})
    return next(own, dated[0])


def newest_of_the_only_site(place: Place) -> str:
    """Return the name of the newest complete backup, if all are of one site.

    Raises:
        BackupError: there is none, or the place has those of several sites.
    """
    newest_of = {made.site: made.name for made in complete(place)}
    if len(newest_of) > 1:
        choice = ", ".join(f"{name} of {site}" for site, name in sorted(newest_of.items()))
        raise BackupError(
            f"{place} has backups of several sites: give the name of one. The newest are {choice}."
        )
    return newest(place)


def _site(place: Place, name: str) -> str | None:
    """Return the URL of the site that a backup is of; None if its manifest is damaged."""
    try:
        return read_manifest(place, name).site
    except BackupError:
        return None


@contextmanager
def entries(place: Place, made: Manifest, folder: Path) -> Iterator[Iterator[Entry]]:
    """Yield the files of a backup as they are stored.

    Raises:
        BackupError: their list is missing or was changed.
    """
    listed = Entry(manifest.FILES, made.files["size"], made.files["sha256"])
    with work.file(folder) as file:
        read(place, made.name, listed, file, [])
        file.seek(0)
        yield (Entry.of(line) for line in file)


def read(
    place: Place, name: str, entry: Entry, target: "IO[bytes] | Counted", keys: list[Any]
) -> None:
    """Copy a file of a backup, decrypted if there are keys and it needs one.

    What was written to the target counts only if this returns.

    Raises:
        BackupError: it is missing, was changed or cut off, or the keys do not fit.
    """
    path = f"{name}/{entry.path}"
    try:
        with place.open(path) as file:
            stored = Counted(file)
            failure: BackupError | None = None
            if keys and entry.path.endswith(encryption.SUFFIX):
                try:
                    encryption.decrypt(stored, target, keys, path)
                except BackupError as error:
                    failure = error
                copy(stored, Counted())  # what is left, for the checksum
            else:
                copy(stored, target)
    except FileNotFoundError as error:
        raise BackupError(f"{path} is missing in {place}: restore another backup.") from error
    if stored.size != entry.size:
        raise BackupError(
            f"{path} has {stored.size} bytes instead of {entry.size}: restore another backup."
        )
    if stored.sha256 != entry.sha256:
        raise BackupError(
            f"{path} was changed: its checksum is not that of the backup. Restore another one."
        )
    if failure:
        raise failure
