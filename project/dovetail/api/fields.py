"""Fields of serializers for what the kit's models have."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dovetail.api.waits import Busy, TooMany

MINUTE = timedelta(minutes=1)  # by which dovetail.media.images counts


@extend_schema_field({"type": "string", "format": "uri-reference"})
class PageField(serializers.CharField):
    """The path of a row's page on the site."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="get_absolute_url", read_only=True, **kwargs)


class ImageField(serializers.FileField):
    """An image to upload, checked and encoded as by the forms of its model.

    Two errors are not those of the file: 429 if its sender uploads too many, and 503 if the process
    is busy with others.

    Args:
        model: the model that has the image.
        name: of its field.
    """

    def __init__(self, model: type[models.Model], name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image: Any = model._meta.get_field(name)

    def to_internal_value(self, data: Any) -> Any:
        upload = super().to_internal_value(data)
        try:
            return self.image.formfield(required=True).clean(upload)
        except ValidationError as error:
            [told] = error.messages
            if error.code == "flood":
                raise TooMany(told, MINUTE) from error
            if error.code == "busy":
                raise Busy(told) from error
            raise
