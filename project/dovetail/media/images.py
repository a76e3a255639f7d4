"""Checks uploaded images by content and re-encodes them without metadata."""

import io
import warnings

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


def clean_image(upload: UploadedFile[bytes], *, square: int | None = None) -> ContentFile[bytes]:
    """Return an uploaded image as a new WebP file.

    The result has no metadata (location, camera, author), is rotated upright and has sides of at
    most `IMAGE_MAX_SIDE` pixels. Of an animation, only the first frame is kept.

    Args:
        upload: the uploaded file.
        square: crop to a centered square with sides of this many pixels.

    Raises:
        ValidationError: the file is larger than `IMAGE_MAX_BYTES`, has more than
            `IMAGE_MAX_PIXELS`, or is not an image in a supported format.
    """
    if upload.size is None or upload.size > settings.IMAGE_MAX_BYTES:
        limit = settings.IMAGE_MAX_BYTES // 1024**2
        raise ValidationError(f"This file is larger than {limit} MB. Choose a smaller one.")
    unreadable = ValidationError("This isn't an image. Choose a JPEG, PNG, WebP or GIF file.")
    upload.seek(0)
    try:
        with warnings.catch_warnings():
            # The size is checked below, before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(upload, formats=FORMATS) as image:
                if image.width * image.height > settings.IMAGE_MAX_PIXELS:
                    limit = settings.IMAGE_MAX_PIXELS // 1_000_000
                    raise ValidationError(
                        f"This image has more than {limit} megapixels. Choose a smaller one."
                    )
                content = _encode(image, square)
    except Image.DecompressionBombError as error:
        raise ValidationError("This image has too many pixels. Choose a smaller one.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise unreadable from error
    return ContentFile(content, name="image.webp")


def shrink_square(content: bytes, side: int) -> bytes:
    """Return a smaller, square WebP of an image from `clean_image`.

    Args:
        content: the image.
        side: the new width and height, in pixels.
    """
    with Image.open(io.BytesIO(content)) as image:
        return _encode(image, side)


def _encode(image: Image.Image, square: int | None) -> bytes:
    upright = ImageOps.exif_transpose(image)
    flat = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    if square:
        flat = ImageOps.fit(flat, (square, square))
    else:
        flat.thumbnail((settings.IMAGE_MAX_SIDE, settings.IMAGE_MAX_SIDE))
    output = io.BytesIO()
    flat.save(output, "WEBP", quality=85, exif=b"", icc_profile=b"")
    return output.getvalue()
