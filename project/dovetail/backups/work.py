"""Where a backup is put together, and a restoration unpacked."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

IN_MEMORY = 8 * 1024 * 1024  # bytes of a file on its way, before it goes to the disk
LEFT_BEHIND = 24 * 3600  # seconds after which a folder belongs to a process that was killed


@contextmanager
def folder() -> Iterator[Path]:
    """Create a folder that only this user can enter, and delete it at the end."""
    parent = Path(settings.BACKUP_WORK_DIR)
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in parent.glob("backup-*"):
        if old.stat().st_mtime < time.time() - LEFT_BEHIND:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="backup-", dir=parent) as path:
        yield Path(path)


def file(folder: Path) -> "tempfile.SpooledTemporaryFile[bytes]":
    """Return a new file, which is in memory as long as it is small."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))
