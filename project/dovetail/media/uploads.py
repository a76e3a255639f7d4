"""Upload handlers: uploaded files know who sent them, and temporary files are not named by them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.cache import cache
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    MemoryFileUploadHandler,
    TemporaryFileUploadHandler,
)
from django.http import HttpRequest

from dovetail.http.limits import sender


def is_flood(key: str, most: int) -> bool:
    """Count something that someone sends, and return whether it is one too many in a minute.

    Without a cache, there is no limit.

    Args:
        key: what it is and who sends it.
        most: how many there may be in a minute.
    """
    key = f"dovetail:{key}"
    cache.add(key, 0, timeout=60)
    try:
        number: int = cache.incr(key)
    except ValueError:
        return False
    return number > most


class _SenderHandler(FileUploadHandler):
    """Adds `sent_by` to uploaded files, which returns their `sender`.

    A function, because the session may not be read yet where the files are.
    """

    def file_complete(self, file_size: int) -> Any:
        file: Any = super().file_complete(file_size)
        if file is not None and self.request is not None:
            file.sent_by = sent_by(self.request)
        return file


def sent_by(request: HttpRequest) -> Callable[[], str]:
    """Return a function that names the sender of a request."""
    return partial(sender, request)


class MemoryUploadHandler(_SenderHandler, MemoryFileUploadHandler):
    pass


class TemporaryUploadHandler(_SenderHandler, TemporaryFileUploadHandler):
    """Django's, without the extension that the sender chose, which may be too long for a name."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = TemporaryUploadedFile(
            "upload", self.content_type, 0, self.charset, self.content_type_extra
        )
        self.file.name = self.file_name
