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


def opened(content: bytes, name: str = "photo.jpg") -> Image.Image:
    cleaned = clean_image(upload(content, name))
    return Image.open(io.BytesIO(cleaned.read()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_known_format_becomes_webp(kind: str) -> None:
    assert opened(picture(kind=kind)).format == "WEBP"


def test_the_name_keeps_its_stem_alone() -> None:
    assert clean_image(upload(picture(), "holiday.jpg.php")).name == "holiday.jpg.webp"


def test_what_a_camera_wrote_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    exif[0x010F] = "Camera of Ada"
    cleaned = opened(picture(exif=exif))

    assert cleaned.size == (40, 80)
    assert not cleaned.getexif()


def test_a_large_picture_is_scaled_down(settings: Settings) -> None:
    settings.IMAGE_MAX_SIDE = 20

    assert opened(picture()).size == (20, 10)


def test_transparency_stays() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(file, "PNG")

    assert opened(file.getvalue()).mode == "RGBA"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", SCRIPT, picture()[:200], b"\x89PNG\r\n\x1a\n" + b"\0" * 100],
    ids=["empty", "text", "svg", "cut off", "broken"],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError, match="not a picture"):
        clean_image(upload(content))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))

    with pytest.raises(ValidationError, match="pixels"):
        clean_image(upload(bomb))


def test_too_many_pixels_and_bytes_are_refused(settings: Settings) -> None:
    settings.IMAGE_MAX_PIXELS = 3000
    with pytest.raises(ValidationError, match="megapixels"):
        clean_image(upload(picture()))

    settings.IMAGE_MAX_BYTES = 100
    with pytest.raises(ValidationError, match="larger than"):
        clean_image(upload(picture()))
