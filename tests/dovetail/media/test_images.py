import io
import struct
import zlib

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pytest_django.fixtures import Settings

from dovetail.media.images import clean_image

SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def upload(content: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/jpeg")


def picture(size: tuple[int, int] = (80, 40), kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind, **options)
    return file.getvalue()


def cleaned_image(content: bytes, name: str = "photo.jpg") -> Image.Image:
    cleaned = clean_image(upload(content, name))
    return Image.open(io.BytesIO(cleaned.read()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_supported_formats_become_webp(kind: str) -> None:
    assert cleaned_image(picture(kind=kind)).format == "WEBP"


def test_nothing_of_the_name_is_kept() -> None:
    assert clean_image(upload(picture(), "holiday.jpg.php")).name == "image.webp"


def test_metadata_is_removed_and_the_image_is_rotated_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    exif[0x010F] = "Ada's camera"
    cleaned = cleaned_image(picture(exif=exif))

    assert cleaned.size == (40, 80)
    assert not cleaned.getexif()


def test_large_image_is_scaled_down(settings: Settings) -> None:
    settings.IMAGE_MAX_SIDE = 20

    assert cleaned_image(picture()).size == (20, 10)


def test_transparency_is_kept() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(file, "PNG")

    assert cleaned_image(file.getvalue()).mode == "RGBA"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", SCRIPT, picture()[:200], b"\x89PNG\r\n\x1a\n" + b"\0" * 100],
    ids=["empty", "text", "svg", "cut off", "broken"],
)
def test_file_that_is_not_an_image_is_rejected(content: bytes) -> None:
    with pytest.raises(ValidationError, match="isn't an image"):
        clean_image(upload(content))


def test_decompression_bomb_is_rejected_before_decoding() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))

    with pytest.raises(ValidationError, match="pixels"):
        clean_image(upload(bomb))


def test_too_many_pixels_or_bytes_are_rejected(settings: Settings) -> None:
    settings.IMAGE_MAX_PIXELS = 3000
    with pytest.raises(ValidationError, match="megapixels"):
        clean_image(upload(picture()))

    settings.IMAGE_MAX_BYTES = 100
    with pytest.raises(ValidationError, match="larger than"):
        clean_image(upload(picture()))
