"""Stores uploads on a disk.

Own code because Django's storage writes to the final name: on a full disk, and when the process is
killed, the beginning of the file stays there, and is served.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

from dovetail.media.names import part_name


class DiskStorage(FileSystemStorage):
    """Stores a file whole or not at all."""

    def _save(self, name: str, content: "File[Any]") -> str:
        with self._written(name, content) as part:
            name = self._reserve(name)
            part.replace(self.path(name))
        return name

    def replace(self, name: str, content: "File[Any]") -> None:
        """Store a file under this name, in place of the one that has it, which stays until then."""
        with self._written(name, content) as part:
            part.replace(self.path(name))

    @contextmanager
    def _written(self, name: str, content: "File[Any]") -> Iterator[Path]:
        """Write a file under another name, and delete that at the end."""
        part = part_name(name)
        try:
            super()._save(part, content)  # type: ignore[misc] # the stubs leave it out
            yield Path(self.path(part))
        finally:
            Path(self.path(part)).unlink(missing_ok=True)

    def _reserve(self, name: str) -> str:
        """Return the name, or another one if it has been taken meanwhile."""
        while True:
            try:
                os.close(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                name = self.get_available_name(name)
            else:
                return name
