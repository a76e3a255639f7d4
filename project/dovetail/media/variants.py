"""Declares smaller variants of the images of a model, and records which of them exist.

    cover = ImageField(upload_to=RandomName("covers"), blank=True)
    cover_variants = VariantsField("cover", {"thumbnail": 400, "card": 800, "full": 1600})

The model gets an `ImageSpecField` of django-imagekit for each variant and format, such as
`cover_card_avif`. A task makes the files (`dovetail.media.generation`), next to the original and
named after it, and `{% picture article.cover %}` shows them.

The column holds what a page would otherwise ask the storage for. It is for one file: once the row
has another one, it counts as empty, so that no page shows variants of what is gone.

| Key | Value |
|---|---|
| `file` | the name of the original |
| `width`, `height` | its size in pixels |
| `made` | the variants that exist in all formats, with their width in pixels |
| `fault` | why there are none |

imagekit has tasks and a cache of its own for this. They are not used: they generate while a page is
shown or decode the original for each variant, and ask the storage or the cache for each picture.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from operator import itemgetter
from typing import Any

from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models.fields.files import FieldFile
from imagekit.models import ImageSpecField
from imagekit.models.fields.utils import ImageSpecFileDescriptor
from imagekit.specs import ImageSpec
from PIL import Image, features

from dovetail.media.names import variant_name

# Measured with benchmarks/media.py, for about the same quality: AVIF takes a fifth fewer bytes than
# WebP. With speed 8 it would take as many, with speed 4 seven times as long for a tenth less. One
# thread, because others have the remaining processors.
FORMATS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 60, "speed": 6, "max_threads": 1},
    "WEBP": {"quality": 80},
}


class Shrink:
    """A processor of imagekit that makes an image narrower, but never wider.

    Its own `ResizeToFit` leaves or refuses strips that become lower than a pixel.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def process(self, image: Image.Image) -> Image.Image:
        if image.width <= self.width:
            return image
        height = max(round(image.height * self.width / image.width), 1)
        return image.resize((self.width, height), Image.Resampling.LANCZOS)


class Never:
    """The strategy of imagekit for files that are made by a task, not when they are asked for."""

    def should_verify_existence(self, _file: Any) -> bool:
        return False


class VariantSpec(ImageSpec):  # type: ignore[misc] # has no types
    """Describes a variant of an image in one format."""

    variant: str
    cachefile_strategy = Never

    @property
    def cachefile_name(self) -> str | None:
        return variant_name(self.source.name, self.variant, self.format) if self.source else None

    @property
    def cachefile_storage(self) -> Any:
        return self.source.storage


class VariantSpecField(ImageSpecField):  # type: ignore[misc] # has no types
    """An `ImageSpecField` without imagekit's receivers, which look at each row that is loaded."""

    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        setattr(cls, name, ImageSpecFileDescriptor(self, name, self.source))
        self._set_spec_id(cls, name)


class VariantsField(models.JSONField):
    """Declares the variants of an image field, and holds the record of those that exist.

    Put it below the image field. The widths can change without a migration; the nightly task or
    `manage.py make_variants` then makes what is missing.

    Args:
        source: the name of the image field.
        widths: of each variant, in pixels, by its name, smallest first. Of an image that is
            narrower, the first variant that would be wider has its own width, and the rest is left
            out.
    """

    def __init__(
        self, source: str = "", widths: dict[str, int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs | {"default": dict, "editable": False, "blank": True})
        self.source = source
        self.widths = widths or {}

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for given in ("default", "editable", "blank"):
            kwargs.pop(given, None)
        return name, path, args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *self._check_declaration()]

    def _check_declaration(self) -> Iterator[checks.CheckMessage]:
        def error(problem: str, hint: str) -> checks.CheckMessage:
            return checks.Error(problem, hint=hint, obj=self, id="dovetail.E003")

        fields = list(self.model._meta.concrete_fields)
        images = [field for field in fields if isinstance(field, models.ImageField)]
        above = [field.name for field in images if fields.index(field) < fields.index(self)]
        if self.source not in above:
            yield error(
                f"There is no image field {self.source!r} above it.",
                "Name the image field, and declare the variants below it.",
            )
        widths = list(self.widths.values())
        if not widths or widths != sorted(set(widths)) or widths[0] < 1:
            yield error(
                f"The widths {widths} do not ascend.", "Declare the smallest variant first."
            )
        for name in self.widths:
            if not (name.isidentifier() and name.isascii()):
                yield error(
                    f"{name!r} is no name for a variant.",
                    "Use a-z, digits and underscores.",
                )
        if not features.check("avif"):
            yield error(
                "This Pillow cannot write AVIF.", "Install the wheel of Pillow, as `uv sync` does."
            )

    def contribute_to_class(self, cls: Any, name: str, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kwargs)
        for variant, width in self.widths.items():
            for kind, options in FORMATS.items():
                attributes = {
                    "variant": variant,
                    "processors": [Shrink(width)],
                    "format": kind,
                    "options": options,
                    "autoconvert": False,  # which would drop the transparency of an AVIF
                }
                field = VariantSpecField(
                    spec=type("Variant", (VariantSpec,), attributes), source=self.source
                )
                field.contribute_to_class(cls, self.spec_name(variant, kind))

    def spec_name(self, variant: str, kind: str) -> str:
        """Return the name of the model's attribute for a variant: `cover_card_avif`."""
        return f"{self.source}_{variant}_{kind.lower()}"

    def specs(self, file: FieldFile) -> Iterator[tuple[str, VariantSpec]]:
        """Yield each variant of a file with what describes it, from the largest to the smallest."""
        for variant in reversed(self.widths):
            for kind in FORMATS:
                field = getattr(type(file.instance), self.spec_name(variant, kind))
                yield variant, field.get_spec(source=file)

    def plan(self, width: int) -> dict[str, int]:
        """Return the variants that an image gets, and how wide they are.

        Args:
            width: of the image, in pixels.
        """
        planned: dict[str, int] = {}
        for variant, wanted in self.widths.items():
            planned[variant] = min(wanted, width)
            if wanted >= width:
                break
        return planned

    def names(self, original: str) -> list[str]:
        """Return the names of all files that the variants of an image can have."""
        return [
            variant_name(original, variant, kind) for variant in self.widths for kind in FORMATS
        ]

    def is_done(self, record: dict[str, Any], name: str) -> bool:
        """Return whether nothing is left to do for a file: its variants exist, or cannot."""
        return record.get("file") == name and (
            "fault" in record or record.get("made") == self.plan(record.get("width") or 0)
        )

    def measure(self, row: models.Model) -> None:
        """Record the size of an image that has just been uploaded.

        Until its variants are made, it takes its place on the page with this size.
        """
        file: Any = getattr(row, self.source)
        if file and not file._committed:  # noqa: SLF001 - as Django's FileField asks
            setattr(row, self.attname, {"width": file.width, "height": file.height})
        elif file and file.measured:  # by the form that has stored it
            setattr(row, self.attname, dict(zip(("width", "height"), file.measured, strict=True)))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the record of the file that the row has by now; the image field comes first."""
        record = super().pre_save(model_instance, add) or {}
        file: Any = getattr(model_instance, self.source)
        file.measured = None
        if file and record.get("file") != file.name:
            measured = {} if "file" in record else record  # that of another file, or by `measure`
            record = {"file": file.name} | measured
            setattr(model_instance, self.attname, record)
        return record


@cache
def variants_of(field: models.Field[Any, Any]) -> VariantsField | None:
    """Return the field that declares the variants of an image field, or None."""
    for other in field.model._meta.concrete_fields:
        if isinstance(other, VariantsField) and other.source == field.name:
            return other
    return None


def record_of(file: FieldFile) -> dict[str, Any]:
    """Return the record of a row's file. It is empty while nothing is known about this file."""
    variants = variants_of(file.field)
    record: dict[str, Any] = getattr(file.instance, variants.attname) if variants else {}
    return record if record.get("file") == file.name else {}


def made_of(file: FieldFile) -> dict[str, int]:
    """Return the variants of a row's image that exist, and their widths, smallest first."""
    made = record_of(file).get("made") or {}
    return dict(sorted(made.items(), key=itemgetter(1)))  # PostgreSQL keeps no order


def variant_of(file: FieldFile, variant: str, kind: str = "WEBP") -> FieldFile:
    """Return a variant of an image, or the image itself as long as there is none.

    Args:
        file: the image of a row.
        variant: the name of the variant. Of a narrow image, it may be left out.
        kind: one of `FORMATS`.
    """
    if variant not in made_of(file):
        return file
    name = variant_name(str(file.name), variant, kind)
    return type(file)(file.instance, file.field, name)


def url_of_variants(
    file: FieldFile, convert: Callable[[str], str] = str
) -> Callable[[str, str], str]:
    """Return a function for the URL of a variant of this image, by its name and format.

    Args:
        file: the image.
        convert: is applied to the URL, such as `html.escape`. For URLs that are made of the name
            alone, it is called once, because the rest of a variant's name has only letters, digits,
            dots and underscores.
    """
    original, url = str(file.name), file.storage.url
    if getattr(url, "__func__", None) is FileSystemStorage.url:
        return partial(variant_name, convert(url(original)))
    return lambda variant, kind: convert(url(variant_name(original, variant, kind)))
