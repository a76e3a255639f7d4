"""Fields of serializers for what the kit's models have."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dovetail.api.waits import Busy, TooMany
from dovetail.media.variants import FORMATS, made_of, url_of_variants

MINUTE = timedelta(minutes=1)  # by which dovetail.media.images counts


@extend_schema_field({"type": "string", "format": "uri-reference"})
class PageField(serializers.CharField):
    """The path of a row's page on the site."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="get_absolute_url", read_only=True, **kwargs)


VARIANT = {
    "type": "object",
    "description": "A smaller variant of an image, in one format.",
    "properties": {
        "name": {"type": "string", "description": "What it is for."},
        "width": {"type": "integer", "description": "In pixels."},
        "type": {"type": "string", "description": "Its media type."},
        "url": {"type": "string", "format": "uri"},
    },
    "required": ["name", "width", "type", "url"],
}


@extend_schema_field({"type": "array", "items": VARIANT})
class ImageVariantsField(serializers.Field[Any, Any, Any, Any]):
    """The variants of an image, smallest first. There are none until a task has made them.

    Args:
        source: the name of the image's field.
    """

    def __init__(self, source: str, **kwargs: Any) -> None:
        super().__init__(source=source, read_only=True, **kwargs)

    def to_representation(self, file: Any) -> list[dict[str, Any]]:
        made = made_of(file) if file else {}
        if not made:
            return []
        url_of = url_of_variants(file, self.context["request"].build_absolute_uri)
        return [
            {
                "name": variant,
                "width": width,
                "type": f"image/{kind}",
                "url": url_of(variant, kind),
            }
            for variant, width in made.items()
            for kind in map(str.lower, FORMATS)
        ]


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
