"""Checks a backup: that it is complete and unchanged, and, with the key, that it can be read."""

from pathlib import Path
from typing import Any

from dovetail.backups import manifest, pieces, programs
from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import Entry, Manifest
from dovetail.backups.places import Place
from dovetail.backups.streams import Counted


def verify(place: Place, made: Manifest, keys: list[Any], work: Path) -> int:
    """Read the whole backup, and return the number of its files.

    Args:
        place: where it is.
        made: its manifest.
        keys: to decrypt it; without them, an encrypted one is compared with its checksums only.
        work: a folder for files on their way.

    Raises:
        BackupError: a file is missing, was changed or cannot be decrypted, or pg_restore cannot
            read the dump.
    """
    count = 0
    readable = bool(keys) or not made.encrypted
    uploads: list[Entry] = []
    with pieces.entries(place, made, work) as entries:
        for entry in entries:
            plain = Counted()
            contents = made.plain_path(entry.path)
            if readable and contents == f"{manifest.DATABASE}toc.dat":
                list_dump(place, made, entry, keys, work)
            pieces.read(place, made.name, entry, plain, keys)
            if contents.startswith(manifest.UPLOAD):
                uploads.append(Entry(contents, plain.size, plain.sha256))
            if readable and contents == manifest.UPLOADS:
                _compare(place, made, entry, keys, found=uploads, work=work)
            count += 1
    return count


def list_dump(place: Place, made: Manifest, entry: Entry, keys: list[Any], work: Path) -> str:
    """Return what pg_restore says is in the dump."""
    program = programs.pg_restore(made.pg_dump)
    folder = work / "listed"
    folder.mkdir(exist_ok=True)
    with (folder / "toc.dat").open("wb") as file:
        pieces.read(place, made.name, entry, file, keys)
    return programs.run([program, "--list", str(folder)])


def _compare(
    place: Place, made: Manifest, entry: Entry, keys: list[Any], *, found: list[Entry], work: Path
) -> None:
    """Compare the uploads with their list."""
    with (work / manifest.UPLOADS).open("w+b") as file:
        pieces.read(place, made.name, entry, file, keys)
        file.seek(0)
        if [Entry.of(line) for line in file] != found:
            raise BackupError(
                f"The uploads of {made.name} are others than its list says: restore another backup."
            )
