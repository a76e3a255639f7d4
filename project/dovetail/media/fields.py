"""A model field for uploaded images.

    cover = ImageField(upload_to=RandomName("covers"), blank=True)

Every form of the model, the admin's too, re-encodes the upload (`dovetail.media.images`). Django's
own fields are no base for it: they let each of Pillow's forty formats have a look at an upload.
"""

import logging
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models.fields.files import FieldFile, ImageFieldFile

from dovetail.media.containers import UnreadableError, take_picture
from dovetail.media.images import FORMATS, check_image, clean_image
from dovetail.media.widgets import ImageInput, SentBefore

logger = logging.getLogger(__name__)

UNAVAILABLE = (
    "Your file couldn't be stored right now. Everything else is still here, so try again in a "
    "moment."
)


class ImageFormField(forms.FileField):
    """Accepts an image by its content, whatever its name is.

    Args:
        square: crop to a centered square with sides of this many pixels.
    """

    widget = ImageInput

    def __init__(self, *, square: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"max_length": None})  # the stored name is another
        self.square = square

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        attrs: dict[str, Any] = super().widget_attrs(widget)
        if isinstance(widget, forms.FileInput) and "accept" not in widget.attrs:
            attrs["accept"] = ",".join(f"image/{kind.lower()}" for kind in FORMATS)
        return attrs

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what the form shows: the file that was sent before it, or what is stored."""
        return data if isinstance(data, SentBefore) and data.id else initial

    def to_python(self, data: Any) -> Any:
        if isinstance(data, SentBefore):
            data.fetch()
        return super().to_python(data)

    def clean(self, data: Any, initial: Any = None) -> Any:
        cleaned = super().clean(data, initial)
        return self.encode(cleaned) if isinstance(cleaned, UploadedFile) else cleaned

    def encode(self, upload: UploadedFile[bytes]) -> Any:
        """Return an upload as it will be stored; see `clean_image`."""
        return clean_image(upload, square=self.square)

    def _clean_bound_field(self, bound: forms.BoundField) -> Any:
        data = bound.initial if self.disabled else bound.data
        upload = super().clean(data, bound.initial)
        if not isinstance(upload, UploadedFile):
            return upload
        check_image(upload)
        if isinstance(bound.form, DecodesLastMixin):
            return upload
        # A form of Django: what it has found so far is all that can be known here.
        return bound.initial if bound.form.errors else self.encode(upload)


class StoresFilesMixin(forms.BaseForm):
    """Stores the files of a model form before it is saved, if nothing of it is to be corrected.

    So a storage that is full or unavailable is an error of the form. A field may say what to do
    about it: `error_messages={"unavailable": "…"}`.

        class ReceiptForm(StoresFilesMixin, forms.ModelForm[Receipt]): ...
    """

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and not self.errors:
            self._store_files()

    def _store_files(self) -> None:
        for name, field in self.fields.items():
            file = getattr(getattr(self, "instance", None), name, None)
            if not isinstance(field, forms.FileField) or not isinstance(file, FieldFile):
                continue
            if file and not file._committed:  # type: ignore[attr-defined] # noqa: SLF001 - has no public name
                size = (file.width, file.height) if isinstance(file, KitImageFieldFile) else None
                try:
                    file.save(str(file.name), file.file, save=False)
                    if size:  # of the row's, which is another object by now
                        getattr(self.instance, name).measured = size  # type: ignore[attr-defined]
                except OSError as error:
                    logger.error("An upload for %s could not be stored: %s", file.field, error)  # noqa: TRY400 - it says what is wrong
                    said = field.error_messages.get("unavailable", UNAVAILABLE)
                    self.add_error(name, ValidationError(said, code="unavailable"))


class DecodesLastMixin(StoresFilesMixin):
    """Decodes the images of a form only if nothing else of it is to be corrected, and stores them.

    `VersionedModelForm` and the forms of the kit's admin have it. A method `clean_cover` of such a
    form gets the upload as it was sent, which `check_image` has accepted.
    """

    def _clean_form(self) -> None:
        super()._clean_form()  # type: ignore[misc] # the stubs leave it out
        for name, field in self.fields.items():
            upload = self.cleaned_data.get(name)
            if not isinstance(field, ImageFormField) or not isinstance(upload, UploadedFile):
                continue
            self.cleaned_data[name] = self[name].initial  # what is stored stays
            if not self.errors:
                try:
                    self.cleaned_data[name] = field.encode(upload)
                except ValidationError as error:
                    self.add_error(name, error)


class KitImageFieldFile(ImageFieldFile):
    """A stored image, whose size is read without asking all of Pillow's formats.

    Attributes:
        measured: width and height in pixels, if it has been stored and its row not saved yet.
    """

    measured: tuple[int, int] | None = None

    def _get_image_dimensions(self) -> tuple[int | None, int | None]:
        if not hasattr(self, "_dimensions_cache"):
            was_closed = self.closed
            self.open()  # from the start
            try:
                picture = take_picture(self.read())
                self._dimensions_cache = (picture.width, picture.height)
            except UnreadableError:
                self._dimensions_cache = None, None  # type: ignore[assignment] # as Django does
            finally:
                if was_closed:
                    self.close()
                else:
                    self.seek(0)
        return self._dimensions_cache


class ImageField(models.ImageField):
    """An image field whose form field re-encodes what is uploaded.

    Args:
        square: crop to a centered square with sides of this many pixels.
    """

    attr_class = KitImageFieldFile

    def __init__(self, *args: Any, square: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.square = square

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.square:
            kwargs["square"] = self.square
        return name, path, args, kwargs

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": ImageFormField, "square": self.square, **kwargs})
