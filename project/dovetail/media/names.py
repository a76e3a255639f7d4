"""Names of stored files, which owe nothing to the names that the files were uploaded with."""

import re
import secrets
from pathlib import PurePath
from typing import Any

from django.utils.deconstruct import deconstructible

SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
# With what a storage adds to a name that is taken, though a random one hardly ever is.
RANDOM = re.compile(r"[0-9a-f]{32}(_[A-Za-z0-9]{7})?(\.[a-z0-9]{1,8})?")
VARIANTS = {"avif", "webp"}  # the formats of dovetail.media.variants
INCOMING = "incoming"  # the folder of files that were sent before their form
PART = re.compile(r"\.[0-9a-f]{16}\.part")


@deconstructible(path="dovetail.media.names.RandomName")
class RandomName:
    """The `upload_to` of a file field: `upload_to=RandomName("covers")`.

    A name is random, so that it neither fails to be stored, nor collides, nor can be guessed. Only
    the suffix is kept, which for an image is that of the format it was encoded in
    (`dovetail.media.images`).
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, _instance: Any, filename: str) -> str:
        suffix = PurePath(filename.replace("\0", "")).suffix.lower()
        return f"{self.folder}/{secrets.token_hex(16)}{suffix if SUFFIX.fullmatch(suffix) else ''}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomName) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)


def variant_name(original: str, variant: str, kind: str) -> str:
    """Return the name of a variant of an image: `covers/4f9d.webp.card.avif`."""
    return f"{original}.{variant}.{kind.lower()}"


def part_name(name: str) -> str:
    """Return another name for a file, for as long as it is being written."""
    return f"{name}.{secrets.token_hex(8)}.part"


def whole_name(name: str) -> str:
    """Return the name that a file will have when it is written, which most have already."""
    cut = len(name) - len(part_name(""))
    return name[:cut] if cut > 0 and PART.fullmatch(name[cut:]) else name


def original_of(name: str) -> str | None:
    """Return the name of the image that a file would be a variant of, by its own name.

    None if it cannot be a variant.
    """
    parts = name.rsplit(".", 2)
    is_variant = len(parts) == 3 and parts[1].isidentifier() and parts[2] in VARIANTS  # noqa: PLR2004
    return parts[0] if is_variant else None
