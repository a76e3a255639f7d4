"""A model field for uploaded images.

    cover = ImageField(upload_to=RandomName("covers"), blank=True)

Every form of the model, the admin's too, re-encodes the upload (`dovetail.media.images`).
"""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db import models

from dovetail.media.images import clean_image


class ImageFormField(forms.ImageField):
    """Accepts an image by its content, whatever its name is.

    Args:
        square: crop to a centered square with sides of this many pixels.
    """

    default_validators = []

    def __init__(self, *, square: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"max_length": None})  # the stored name is another
        self.square = square

    def clean(self, data: Any, initial: Any = None) -> Any:
        cleaned = super().clean(data, initial)
        if isinstance(cleaned, UploadedFile):
            return clean_image(cleaned, square=self.square)
        return cleaned


class ImageField(models.ImageField):
    """An image field whose form field re-encodes what is uploaded.

    Args:
        square: crop to a centered square with sides of this many pixels.
    """

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
