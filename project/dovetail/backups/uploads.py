"""The uploads of the site, in its default storage: on the disk, or in S3."""

from collections.abc import Iterator
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage

from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import UPLOAD, Entry
from dovetail.backups.pieces import Writer
from dovetail.backups.streams import CHUNK, Counted
from dovetail.media.names import part_name, whole_name


def names(folder: str = "") -> Iterator[str]:
    """Yield the names of all files in the storage, but those that are being written."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing has been stored yet
        return
    start = f"{folder}/" if folder else ""
    for file in sorted(files):
        if whole_name(file) == file:
            yield start + file
    for each in sorted(folders):
        yield from names(start + each)


def back_up(writer: Writer, done: set[str]) -> Iterator[Entry]:
    """Store the files that are not done yet, and yield them."""
    for name in names():
        if name in done:
            continue
        try:
            with default_storage.open(name) as file:
                yield writer.put(UPLOAD + name, file)
        except FileNotFoundError:  # deleted just now, with its row
            continue
        done.add(name)


def same(name: str, sha256: str) -> bool | None:
    """Return whether the storage has the file with this content; None if it has no such file."""
    try:
        with default_storage.open(name) as file:
            counted = Counted(file)
            while counted.read(CHUNK):
                pass
    except FileNotFoundError:
        return None
    except UnicodeEncodeError as error:
        raise BackupError(
            f"The storage of uploads cannot have {name!r}, whose name is not UTF-8: restore it "
            "into a folder."
        ) from error
    return counted.sha256 == sha256


def _replace(name: str, content: IO[bytes]) -> str:
    """Store a file in place of another one, which is lost only when this one is there."""
    storage: Any = default_storage
    if hasattr(storage, "replace"):
        storage.replace(name, File(content))
        return name
    # Storages that are not the kit's can only delete: what they cannot store at all shows before.
    trial = storage.save(part_name(name), File(content))
    storage.delete(trial)
    content.seek(0)
    storage.delete(name)
    return str(storage.save(name, File(content)))


def store(name: str, content: IO[bytes], sha256: str, *, replace: bool) -> None:
    """Store a file under its name, and read it again to be sure.

    Args:
        name: in the storage.
        content: of the file.
        sha256: of the content.
        replace: whether another file of that name may be replaced.

    Raises:
        BackupError: there is another file of that name, or the storage has changed it.
    """
    found = same(name, sha256)
    if found:
        return
    if found is False:
        if not replace:
            raise BackupError(
                f"The storage of uploads already has another file named {name}: empty it, or "
                "replace what it has with --replace."
            )
        stored = _replace(name, content)
    else:
        stored = default_storage.save(name, File(content))
    if stored != name or not same(name, sha256):
        raise BackupError(f"The storage of uploads did not keep {name} as it was: check its disk.")
