"""Checks uploaded images by content and re-encodes them without metadata.

Decoding is what costs memory: four bytes for each pixel, however small the file is. So a process
decodes `IMAGE_DECODES` pictures at once, of at most `IMAGE_MAX_PIXELS`, and makes no second copy of
that size; and a person uploads at most `IMAGE_UPLOADS_PER_MINUTE`.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps

from dovetail.media.containers import Picture, UnreadableError, take_picture
from dovetail.media.uploads import is_flood

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# How much more memory a format takes than others. Pillow keeps four copies of a WebP.
WEIGHTS = {"WEBP": 2}
WAITING = 3  # requests in a process that may wait; each of them holds a database connection
PATIENCE = 5  # seconds that they wait
STRIP = 64  # rows of the result that are made at once
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
UNREADABLE = "This isn't an image. Choose a JPEG, PNG, WebP or GIF file."
BUSY = "Too many images are being processed right now. Wait a moment and choose the file again."
TOO_MANY = "You have uploaded a lot of images in a short time. Wait a minute and try again."


def check_image(upload: UploadedFile[bytes]) -> Picture:
    """Check what can be told about an uploaded image without decoding it.

    Raises:
        ValidationError: the file is larger than `IMAGE_MAX_BYTES`, has more than
            `IMAGE_MAX_PIXELS` (a WebP half of them), or is not an image in a supported format.
    """
    if upload.size is None or upload.size > settings.IMAGE_MAX_BYTES:
        raise too_large()
    upload.seek(0)
    try:
        picture = take_picture(upload.read())
    except UnreadableError as error:
        raise ValidationError(UNREADABLE, code="invalid_image") from error
    finally:
        upload.seek(0)
    _check_pixels(picture.kind, picture.width, picture.height)
    return picture


def too_large() -> ValidationError:
    """Return the error of a file that is larger than `IMAGE_MAX_BYTES`."""
    limit = settings.IMAGE_MAX_BYTES // 1024**2
    return ValidationError(
        f"This file is larger than {limit} MB. Choose a smaller one.", code="too_large"
    )


def clean_image(upload: UploadedFile[bytes], *, square: int | None = None) -> ContentFile[bytes]:
    """Return an uploaded image as a new WebP file.

    The result has no metadata (location, camera, author), is rotated upright and has sides of at
    most `IMAGE_MAX_SIDE` pixels. Of an animation, only the first frame is kept.

    Args:
        upload: the uploaded file.
        square: crop to a centered square with sides of this many pixels.

    Raises:
        ValidationError: `check_image` refuses the file, its pixels are cut off or malformed, its
            sender has uploaded more than `IMAGE_UPLOADS_PER_MINUTE`, or the process is busy with
            others.
    """
    picture = check_image(upload)
    _count(upload)
    return ContentFile(_webp(picture, square), name="image.webp")


def open_image(content: bytes, width: int) -> tuple[Image.Image, tuple[int, int]]:
    """Return a stored image, upright and without metadata, to make variants of it.

    Args:
        content: of the file.
        width: of the largest variant, in pixels. A much larger image is reduced while it is
            decoded, to at least this.

    Returns:
        The image, and the width and height of the original.

    Raises:
        ValidationError: it is not an image in a supported format, or has too many pixels.
    """
    with _decoding(_picture(content)) as (image, orientation):
        size = image.size if orientation < 5 else image.size[::-1]  # noqa: PLR2004 - on its side
        small = _upright(_decode(image, max(size[0] / width, 1)), orientation)
        small.info = {}
        return small, size


def _picture(content: bytes) -> Picture:
    try:
        picture = take_picture(content)
    except UnreadableError as error:
        raise ValidationError(UNREADABLE, code="invalid_image") from error
    _check_pixels(picture.kind, picture.width, picture.height)
    return picture


def _check_pixels(kind: str, width: int, height: int) -> None:
    allowed = settings.IMAGE_MAX_PIXELS // WEIGHTS.get(kind, 1)
    if width * height > allowed:
        limit = f"{allowed / 1_000_000:g}"
        raise ValidationError(
            f"This image has more than {limit} megapixels. Choose a smaller one.",
            code="too_many_pixels",
        )


def _count(upload: UploadedFile[bytes]) -> None:
    """Count an image of its sender; without a cache or a sender, there is no limit.

    Raises:
        ValidationError: it is one too many in this minute.
    """
    sent_by = getattr(upload, "sent_by", None)  # of dovetail.media.uploads
    if sent_by and is_flood(f"images:{sent_by()}", settings.IMAGE_UPLOADS_PER_MINUTE):
        raise ValidationError(TOO_MANY, code="flood")


@cache
def _places(decodes: int) -> tuple[BoundedSemaphore, BoundedSemaphore]:
    """Return the places of this process for requests with an image, and for those at work."""
    return BoundedSemaphore(decodes + WAITING), BoundedSemaphore(decodes)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until this process may decode another image.

    Raises:
        ValidationError: too many wait already, or it took longer than `PATIENCE`.
    """
    admitted, decoding = _places(settings.IMAGE_DECODES)
    busy = ValidationError(BUSY, code="busy")
    if not admitted.acquire(blocking=False):
        raise busy
    try:
        if not decoding.acquire(timeout=PATIENCE):
            raise busy
        try:
            yield
        finally:
            decoding.release()
    finally:
        admitted.release()


@contextmanager
def _decoding(picture: Picture) -> Iterator[tuple[Image.Image, int]]:
    """Yield an image that is not decoded yet, and its orientation.

    Raises:
        ValidationError: it is malformed, or the process is busy with others.
    """
    with _turn():
        try:
            with Image.open(io.BytesIO(picture.content), formats=[picture.kind]) as image:
                # What the decoder has read counts, in case that a file gives two sizes.
                _check_pixels(picture.kind, *image.size)
                yield image, picture.orientation
        except (ValidationError, SoftTimeLimitExceeded):
            raise
        except Exception as error:  # decoders of malformed content raise anything
            raise ValidationError(UNREADABLE, code="invalid_image") from error


def _webp(picture: Picture, square: int | None) -> bytes:
    with _decoding(picture) as (image, orientation):
        return _encode(image, orientation, square)


def _encode(image: Image.Image, orientation: int, square: int | None) -> bytes:
    width, height = image.size
    longest = max(width, height) / settings.IMAGE_MAX_SIDE
    scale = max(min(width, height) / square if square else longest, 1)
    size = max(round(width / scale), 1), max(round(height / scale), 1)
    small = _decode(image, scale)
    if square:
        small = ImageOps.fit(small, (square, square))
    elif small.size != size:
        small = small.resize(size, Image.Resampling.BICUBIC)
    output = io.BytesIO()
    _upright(small, orientation).save(output, "WEBP", quality=85, exif=b"", icc_profile=b"")
    return output.getvalue()


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _decode(image: Image.Image, scale: float) -> Image.Image:
    """Return an image in RGB or RGBA, with sides at most twice as long as they are to be.

    A JPEG is decoded to such a size. Others are reduced in strips, so that no second copy of all
    pixels is made.

    Args:
        image: the image, which is not decoded yet.
        scale: how many times shorter its sides are to be.
    """
    if image.mode.startswith("I"):  # 16 bits, which a conversion of Pillow's would cut off at 255
        image = image.point(lambda value: value / 256).convert("L")
        image.info.pop("transparency", None)  # a level that is gone
    width = image.width
    image.draft(None, (int(width / scale) or 1, int(image.height / scale) or 1))
    factor = max(int(scale * image.width / width), 1)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if factor == 1:
        image.load()
        return image.convert(mode) if image.mode != mode else image
    small = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, small.height, STRIP):
        box = (0, top * factor, image.width, min((top + STRIP) * factor, image.height))
        small.paste(image.crop(box).convert(mode).reduce(factor), (0, top))
    return small
