"""Kind: metadata and parts of a picture that cost a lot more than their length."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, strategies as st
from PIL import Image

from dovetail.media.containers import MAX_SCANS, UnreadableError, orientation, take_picture
from dovetail.media.images import clean_image
from tests.dovetail.media.test_images import picture, upload

SIZE = 1_000_000  # bytes of metadata
KINDS = ["JPEG", "PNG", "WEBP", "GIF"]


def exif(entries: int = 0, data: bytes = b"") -> bytes:
    """Return Exif data whose entries all refer to the same data, and then the orientation."""
    start = 8 + 2 + 12 * (entries + 1) + 4
    table = b"".join(
        struct.pack("<HHII", 0x8000 + number, 7, len(data), start) for number in range(entries)
    )
    table += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    return b"II*\0" + struct.pack("<IH", 8, entries + 1) + table + bytes(4) + data


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    plain = picture(kind="PNG")
    extra = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return plain[:33] + extra + plain[33:]  # after IHDR


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    extra = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in segments
    )
    return picture()[:2] + extra + picture()[2:]


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + picture(kind="WEBP")[12:]
    for kind, data in chunks:
        body += kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_with_comment(size: int) -> bytes:
    """Return a GIF whose comment is stored in blocks of a byte each."""
    plain = picture(kind="GIF")
    colors = 3 << ((plain[10] & 7) + 1) if plain[10] & 0x80 else 0
    start = 13 + colors
    return plain[:start] + b"\x21\xfe" + b"\x01x" * (size // 2) + b"\0" + plain[start:]


def many_exif_segments(size: int = SIZE) -> bytes:
    return jpeg_with(*[(0xE1, b"Exif\0\0" + b"x" * 8)] * (size // 18))


def exif_entries_that_share_data() -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif(2000, bytes(30_000))))


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (30, 20), (number % 256, 90, 9)) for number in range(500)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


METADATA: dict[str, Callable[[], bytes]] = {
    "comment of a GIF in single bytes": lambda: gif_with_comment(SIZE),
    "many Exif segments": many_exif_segments,
    "Exif entries that share data": exif_entries_that_share_data,
    "many comments": lambda: jpeg_with(*[(0xFE, b"x")] * (SIZE // 5)),
    "other pictures in it": lambda: jpeg_with((0xE2, b"MPF\0" + exif(2000, bytes(30_000)))),
    "what follows a JPEG": lambda: picture() + bytes(SIZE),
    "text of a PNG": lambda: png_with((b"tEXt", b"a\0" + b"x" * SIZE)),
    "compressed text of a PNG": lambda: png_with(
        *[(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20)))] * 60
    ),
    "compressed profile of a PNG": lambda: png_with(
        (b"iCCP", b"a\0\0" + zlib.compress(bytes(50 * 2**20)))
    ),
    "Exif of a PNG": lambda: png_with((b"eXIf", exif(5000, bytes(SIZE)))),
    "empty chunks of a PNG": lambda: png_with(*[(b"prVt", b"")] * (SIZE // 12)),
    "Exif of a WebP": lambda: webp_with((b"EXIF", exif(5000, bytes(SIZE)))),
    "empty chunks of a WebP": lambda: webp_with(*[(b"prVt", b"")] * (SIZE // 8)),
    "frames of a GIF": lambda: animation("GIF"),
    "frames of a PNG": lambda: animation("PNG"),
    "frames of a WebP": lambda: animation("WEBP"),
}


@pytest.mark.parametrize("make", METADATA.values(), ids=METADATA)
def test_metadata_never_reaches_the_decoder(make: Callable[[], bytes]) -> None:
    content = make()

    assert len(take_picture(content).content) < 2000
    assert clean_image(upload(content)).size


def test_time_is_in_proportion_to_the_length() -> None:
    """Pillow joins Exif segments one by one, which takes a hundred times as long for ten times."""
    contents = [many_exif_segments(400_000), many_exif_segments(4_000_000)]
    best = [float("inf")] * 2
    for _ in range(2):
        for number, content in enumerate(contents):
            start = time.perf_counter()
            clean_image(upload(content))
            best[number] = min(best[number], time.perf_counter() - start)

    assert best[1] < best[0] * 40


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_unchanged(kind: str) -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize((61, 43)).save(file, kind)
    taken = take_picture(file.getvalue())

    with Image.open(file) as before, Image.open(io.BytesIO(taken.content)) as after:
        assert (taken.width, taken.height) == before.size == after.size
        assert after.format == kind
        assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_transparency_is_kept(kind: str) -> None:
    file = io.BytesIO()
    image = Image.new("RGBA", (40, 30), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 30))
    image.save(file, kind)

    with Image.open(io.BytesIO(take_picture(file.getvalue()).content)) as after:
        assert after.convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]
        assert after.convert("RGBA").getpixel((35, 5))[3] == 255  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_first_frame_is_kept(kind: str) -> None:
    if kind == "JPEG":
        pytest.skip("is not animated")
    with Image.open(io.BytesIO(take_picture(animation(kind)).content)) as after:
        assert getattr(after, "n_frames", 1) == 1
        assert after.size == (30, 20)
        red = after.convert("RGB").getpixel((3, 3))[0]  # type: ignore[index]
        assert red < 5  # of the last frame it would be 243


@pytest.mark.parametrize(
    "content",
    [
        jpeg_with((0xE1, b"Exif\0\0" + exif())),
        png_with((b"eXIf", exif())),
        webp_with((b"EXIF", exif())),
        webp_with((b"EXIF", b"Exif\0\0" + exif())),
    ],
    ids=["JPEG", "PNG", "WebP", "WebP of some cameras"],
)
def test_orientation_is_kept(content: bytes) -> None:
    assert take_picture(content).orientation == 6
    with Image.open(io.BytesIO(clean_image(upload(content)).read())) as cleaned:
        assert cleaned.size == (40, 80)


@given(st.binary(max_size=60))
def test_orientation_of_anything_is_one_of_eight(data: bytes) -> None:
    assert orientation(data) in range(1, 9)
    assert orientation(b"II*\0" + data) in range(1, 9)


def test_scans_are_limited() -> None:
    """Kind: twenty bytes that cost as much as all pixels."""
    plain = picture(size=(64, 64), progressive=True)
    scan = plain[plain.rfind(b"\xff\xda") : -2]

    assert clean_image(upload(plain)).size
    with pytest.raises(UnreadableError):
        take_picture(plain[:-2] + scan * MAX_SCANS + plain[-2:])


@pytest.mark.parametrize("kind", KINDS)
def test_no_malformed_picture_fails_otherwise(kind: str) -> None:
    """Each file that is cut off or has another byte is refused, or becomes a picture."""
    content = picture(kind=kind)

    @given(st.integers(0, len(content)), st.integers(0, len(content) - 1), st.integers(0, 255))
    def attempt(end: int, place: int, value: int) -> None:
        changed = bytearray(content)
        changed[place] = value
        for hostile in (content[:end], bytes(changed), bytes(changed[:end])):
            try:
                assert clean_image(upload(hostile)).size
            except ValidationError as error:
                assert error.messages[0].endswith(("file.", "one."))  # noqa: PT017

    attempt()
