"""Pictures from people: checked by content, made anew, without what they carried besides."""

import io
import warnings
from pathlib import PurePath

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


def clean_image(upload: UploadedFile[bytes], *, square: int | None = None) -> ContentFile[bytes]:
    """Return an uploaded picture as a new WebP file.

    The result has no metadata (place, camera, author), stands upright and has sides of at most
    `IMAGE_MAX_SIDE` pixels. Of an animation the first frame stays.

    Args:
        upload: what the form received.
        square: cut the picture to a square around its middle, with sides of so many pixels.

    Raises:
        ValidationError: it is larger than `IMAGE_MAX_BYTES`, has more than `IMAGE_MAX_PIXELS`, or
            is no picture of a known format.
    """
    if upload.size is None or upload.size > settings.IMAGE_MAX_BYTES:
        limit = settings.IMAGE_MAX_BYTES // 1024**2
        raise ValidationError(f"This file is larger than {limit} MB. Choose a smaller picture.")
    unreadable = ValidationError("This is not a picture. Choose a JPEG, PNG, WebP or GIF file.")
    upload.seek(0)
    try:
        with warnings.catch_warnings():
            # The size is ours to judge, below and before a pixel is read.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(upload, formats=FORMATS) as image:
                if image.width * image.height > settings.IMAGE_MAX_PIXELS:
                    limit = settings.IMAGE_MAX_PIXELS // 1_000_000
                    raise ValidationError(f"This picture has more than {limit} megapixels.")
                content = _encode(image, square)
    except Image.DecompressionBombError as error:
        raise ValidationError("This picture has too many pixels.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise unreadable from error
    return ContentFile(content, name=f"{PurePath(upload.name or 'picture').stem}.webp")


def shrink_square(content: bytes, side: int) -> bytes:
    """Return a smaller WebP of a picture that `clean_image` made.

    Args:
        content: the picture.
        side: of the new one, in pixels.
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
