"""Lets forms take files that were sent before them, directly to the storage.

    class ReceiptCreateView(UploadsMixin, CreateView[Receipt, ReceiptForm]): ...

    urlpatterns = [path("uploads/", include("dovetail.media.urls"))]

The browser asks `uploads/` where to send a file, sends it there, asks for it to be checked, and
sends the form with the upload's id (`dovetail.media.upload_views`, as Rails' Active Storage does
it). To the form it is an uploaded file like any other. Without scripts, the file comes with the
form; if that comes back with errors, the file is kept as an upload, so that it need not be chosen
again.
"""

import io
import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from dovetail.media.models import Upload
from dovetail.media.uploads import sent_by
from dovetail.media.widgets import SUFFIX, ImageInput, SentBefore

logger = logging.getLogger(__name__)

GONE = "This upload is no longer available. Choose the file again."
UNAVAILABLE = "Your file can't be read right now. It's still here, so try again in a moment."


class IncomingFile(UploadedFile[bytes], SentBefore):
    """A file that was sent before its form. It is read from the storage when a field needs it.

    Attributes:
        upload: None if there is no such upload of this person.
    """

    def __init__(self, upload: Upload | None, request: HttpRequest) -> None:
        name, size = (upload.name, upload.size) if upload else ("upload", 1)
        super().__init__(None, name, upload.content_type if upload else "", size)
        self.upload = upload
        self.id = str(upload.pk) if upload else ""
        self.sent_by = sent_by(request)

    def fetch(self) -> None:
        """Read the file.

        Raises:
            ValidationError: there is none, or the storage is unavailable.
        """
        if self.file is not None:
            return
        try:
            if self.upload is None:
                raise FileNotFoundError  # noqa: TRY301 - as if it were only the file
            self.file = io.BytesIO(self.upload.read())
        except FileNotFoundError as error:
            self.upload, self.id = None, ""
            raise ValidationError(GONE, code="gone") from error
        except OSError as error:
            logger.error("The upload %s could not be read: %s", self.id, error)  # noqa: TRY400 - it says what is wrong
            raise ValidationError(UNAVAILABLE, code="unavailable") from error


class UploadsMixin:
    """Gives the form of a `FormView` the uploads that it names, and deletes those it has taken.

    For people who are signed in; for others, files come with the form.
    """

    request: HttpRequest

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()  # type: ignore[misc] # of the view
        if "files" in kwargs:
            files = MultiValueDict(dict(kwargs["files"].lists()))
            files.update(self._incoming)
            kwargs["files"] = files
        return kwargs

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(*args, **kwargs)  # type: ignore[misc] # of the view
        for field in form.fields.values():
            if isinstance(field.widget, ImageInput) and self.request.user.is_authenticated:
                field.widget.begin_url = reverse("uploads:create")
        return form

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc] # of the view
        for file in self._incoming.values():
            if file.upload:
                file.upload.delete()
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        user: Any = self.request.user
        for name, file in _plain_images(form) if user.is_authenticated else ():
            try:
                upload = Upload.objects.keep(user, file)
            except OSError as error:
                logger.error("An upload could not be kept: %s", error)  # noqa: TRY400 - it says what is wrong
                continue
            form.files[name] = IncomingFile(upload, self.request)
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc] # of the view
        return response

    @cached_property
    def _incoming(self) -> dict[str, IncomingFile]:
        """The uploads that the form names, by the names of their fields."""
        ids = {
            name.removesuffix(SUFFIX): _uuid(str(value))
            for name, value in self.request.POST.items()
            if name.endswith(SUFFIX)
            if name.removesuffix(SUFFIX) not in self.request.FILES
        }
        if not ids:
            return {}
        wanted = [pk for pk in ids.values() if pk]
        found = Upload.objects.of(self.request.user).completed().in_bulk(wanted)
        return {
            name: IncomingFile(found.get(pk) if pk else None, self.request)
            for name, pk in ids.items()
        }


def _plain_images(form: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names and files of images that came with a form and are not its errors."""
    for name, field in form.fields.items():
        errors = form.errors.as_data().get(name, [])
        is_wrong = any(error.code != "changed" for error in errors)  # by someone else meanwhile
        if isinstance(field.widget, ImageInput) and not is_wrong:
            key = form.add_prefix(name)
            file = form.files.get(key)
            if file is not None and not isinstance(file, IncomingFile):
                yield key, file


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
