import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.datastructures import MultiValueDict
from PIL import Image
from pytest_django.fixtures import Settings

from dovetail.media.fields import ImageFormField
from dovetail.media.images import clean_image

ROOT = Path(__file__).resolve().parents[3]
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


@pytest.mark.parametrize("size", [(256, 8), (4000, 8)])
def test_sixteen_bits_become_eight(size: tuple[int, int]) -> None:
    """Kind: a picture that is accepted, and is stored as another one."""
    width, height = size
    row = b"".join((65535 * x // width).to_bytes(2, "little") for x in range(width))
    file = io.BytesIO()
    Image.frombytes("I;16", size, row * height).save(file, "PNG")

    stored = cleaned_image(file.getvalue())

    places = [0, stored.width // 4, stored.width // 2, stored.width - 1]
    shown = [stored.convert("L").getpixel((x, 2)) for x in places]
    assert shown == pytest.approx([0, 64, 128, 255], abs=6)


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


def test_webp_may_have_half_of_the_pixels(settings: Settings) -> None:
    """Pillow keeps four copies of its pixels."""
    settings.IMAGE_MAX_PIXELS = 80 * 40

    assert clean_image(upload(picture(kind="PNG"))).size
    with pytest.raises(ValidationError, match="megapixels"):
        clean_image(upload(picture(kind="WEBP")))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("square", [None, 16])
def test_large_image_of_any_mode_is_reduced(
    settings: Settings, mode: str, square: int | None
) -> None:
    settings.IMAGE_MAX_SIDE = 100
    image = Image.new(mode, (1234, 987))
    file = io.BytesIO()
    image.save(file, "PNG")

    cleaned = clean_image(upload(file.getvalue()), square=square)

    with Image.open(io.BytesIO(cleaned.read())) as result:
        assert result.size == ((16, 16) if square else (100, 80))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_reduced_image_looks_as_before(settings: Settings, kind: str) -> None:
    """Each part of the picture is where it was: strips and drafts shift nothing."""
    settings.IMAGE_MAX_SIDE = 150
    image = Image.new("RGB", (1500, 1100), "white")
    image.paste((0, 0, 200), (0, 550, 1500, 1100))
    image.paste((200, 0, 0), (750, 0, 1500, 550))
    file = io.BytesIO()
    image.save(file, kind)

    with Image.open(io.BytesIO(clean_image(upload(file.getvalue())).read())) as result:
        assert result.size == (150, 110)
        for x, y in ((10, 10), (140, 10), (10, 100), (140, 100), (70, 50), (80, 50), (70, 60)):
            was, now = image.getpixel((x * 10, y * 10)), result.getpixel((x, y))
            assert max(abs(a - b) for a, b in zip(was, now, strict=True)) < 40  # type: ignore[arg-type]


# Which formats see an upload


class PictureForm(forms.Form):
    picture = ImageFormField()


def submitted(file: SimpleUploadedFile) -> PictureForm:
    return PictureForm({}, MultiValueDict({"picture": [file]}))


HOSTILE = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF",
    "PSD": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(14),
    "TIFF": b"II*\0\x08\0\0\0\0\0\0\0\0\0",
    "PCX": b"\x0a\5\1\x08" + bytes(124),
    "ICO": b"\0\0\1\0\1\0" + bytes(40),
    "SVG": SCRIPT,
    "nothing": b"hello",
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the formats of Pillow that have looked at a file."""
    kinds: list[str] = []
    Image.init()

    def watch(kind: str, entry: object) -> object:
        def accept(prefix: bytes) -> bool:
            kinds.append(kind)
            return bool(entry[1](prefix)) if entry[1] else True  # type: ignore[index]

        return entry[0], accept  # type: ignore[index]

    for kind, entry in list(Image.OPEN.items()):
        monkeypatch.setitem(Image.OPEN, kind, watch(kind, entry))
    return kinds


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_other_formats_are_not_even_opened(seen: list[str], content: bytes) -> None:
    """Kind: a decoder that no one needs is reached by what a file contains."""
    form = submitted(upload(content, "photo.png"))

    assert form.errors["picture"] == ["This isn't an image. Choose a JPEG, PNG, WebP or GIF file."]
    assert seen == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_image_is_opened_by_its_own_format_only(seen: list[str], kind: str) -> None:
    form = submitted(upload(picture(kind=kind), "photo.eps"))

    assert form.is_valid()
    assert set(seen) == {kind}


# Memory

MEASURE = """
import re, sys
from pathlib import Path
from threading import Barrier, Thread
import django
django.setup()
from django.core.files.uploadedfile import SimpleUploadedFile
from tests.dovetail.media.test_images import submitted

content = open(sys.argv[1], "rb").read()
start = Barrier(int(sys.argv[2]))
valid = []

def submit():
    start.wait()
    valid.append(submitted(SimpleUploadedFile("a.png", content)).is_valid())

def peak():
    # Not ru_maxrss, which begins with that of the parent.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

before = peak()
threads = [Thread(target=submit) for _ in range(int(sys.argv[2]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(peak() - before, sum(valid))
"""


def measure(path: Path, uploads: int) -> tuple[int, int]:
    """Return by how much the memory of a new process grew, and how many uploads it accepted."""
    command = [sys.executable, "-c", MEASURE, str(path), str(uploads)]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}/project{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    growth, valid = result.stdout.split()
    return int(growth), int(valid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.long("decodes some of the largest pictures at once")
def test_parallel_uploads_take_the_memory_of_one(tmp_path: Path) -> None:
    """Kind: small files that take a lot of memory, several at once."""
    path = tmp_path / "large.png"
    path.write_bytes(picture((6000, 4000), "PNG"))

    one, _ = measure(path, 1)
    six, accepted = measure(path, 6)

    assert accepted
    assert six < 2 * one  # without a limit, six times as much
    assert one < 2 * 6000 * 4000 * 4 // 1024  # KiB; a second copy of all pixels takes more
