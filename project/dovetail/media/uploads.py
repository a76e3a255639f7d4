"""Upload handlers: uploaded files know who sent them, and temporary files are not named by them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    MemoryFileUploadHandler,
    TemporaryFileUploadHandler,
)
from django.http import HttpRequest

from dovetail.http.address import client_address


def sender(request: HttpRequest) -> str:
    """Return a name for the person who sent a request, or for their address."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    return f"address:{client_address(request)}"


class _SenderHandler(FileUploadHandler):
    """Adds `sent_by` to uploaded files, which returns their `sender`.

    A function, because the session may not be read yet where the files are.
    """

    def file_complete(self, file_size: int) -> Any:
        file: Any = super().file_complete(file_size)
        if file is not None and self.request is not None:
            file.sent_by = _sent_by(self.request)
        return file


def _sent_by(request: HttpRequest) -> Callable[[], str]:
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
