"""Where a backup is put together, and a restoration unpacked."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

IN_MEMORY = 8 * 1024 * 1024  # bytes of a file on its way, before it goes to the disk


@contextmanager
def folder() -> Iterator[Path]:
    """Create a folder that only this user can enter, and delete it at the end.

    Its process holds a lock of it, which ends even if the process is killed. What has none was left
    behind, with a dump that may not be encrypted, and is deleted.
    """
    parent = Path(settings.BACKUP_WORK_DIR)
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _locked(parent):  # so that no other process finds the new folder without its lock
            for old in parent.glob("backup-*"):
                _remove_abandoned(old)
            made = tempfile.TemporaryDirectory(prefix="backup-", dir=parent)
            path = Path(stack.enter_context(made))
            stack.enter_context(_locked(path))
        yield path


def _remove_abandoned(path: Path) -> None:
    try:
        with _locked(path, wait=False):
            shutil.rmtree(path, ignore_errors=True)
    except OSError:  # it is in use, or another process has just deleted it
        return


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises:
        BlockingIOError: another process has it, and this one does not wait.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def file(folder: Path) -> "tempfile.SpooledTemporaryFile[bytes]":
    """Return a new file, which is in memory as long as it is small."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))
