"""Takes the pixels of an uploaded picture out of its file, and leaves everything else behind.

Own code because Pillow reads all metadata before it shows the size of a picture: four megabytes of
small Exif segments in a JPEG take it several seconds, which all threads wait for, and it warns of
each malformed entry. All of it is dropped here by its length, without a look inside: comments,
profiles, all frames but the first, and what follows the picture.

Sources: ITU-T T.81 annex B (JPEG), W3C PNG third edition, the GIF89a specification, RFC 9649 (WebP)
and Exif 2.32 section 4.6.2 (orientation).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# A progressive JPEG has about ten scans. Each takes as long as all pixels, and some twenty bytes.
MAX_SCANS = 64
ORIENTATION = 0x0112
PNG = b"\x89PNG\r\n\x1a\n"
# Markers of a JPEG. JFIF and Adobe say how to read the colors; the other applications' segments and
# comments are metadata.
FILL, SCAN, END, EXIF = 0xFF, 0xDA, 0xD9, 0xE1
STANDALONE = {0x01, *range(0xD0, 0xD8)}
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
METADATA = {*range(0xE0, 0xF0), 0xFE} - {0xE0, 0xEE}
# Blocks of a GIF.
EXTENSION, CONTROL, IMAGE = 0x21, 0xF9, 0x2C


class UnreadableError(ValueError):
    """The content is not a picture in one of the formats, or is cut off."""


@dataclass(frozen=True)
class Picture:
    """A picture without metadata.

    Attributes:
        kind: the format, as Pillow calls it.
        content: a file with the pixels of the first frame.
        width: in pixels.
        height: in pixels.
        orientation: how to rotate it upright, as Exif counts: 1 to 8.
    """

    kind: str
    content: bytes
    width: int
    height: int
    orientation: int = 1


def take_picture(content: bytes) -> Picture:
    """Return the picture in a JPEG, PNG, GIF or WebP file, which is told by its first bytes.

    Decodes no pixels; takes time in proportion to the length.

    Raises:
        UnreadableError: it is none of them, cut off before the pixels, or a JPEG with more than
            `MAX_SCANS` scans.
    """
    for start, take in READERS.items():
        if content.startswith(start):
            try:
                return take(content)
            except (IndexError, ValueError, struct.error) as error:
                raise UnreadableError("The file is cut off.") from error
    raise UnreadableError("The format is unknown.")


def _jpeg(content: bytes) -> Picture:
    kept, exif, size, place = [content[:2]], b"", None, 2
    while True:
        place = content.index(b"\xff", place)
        marker = content[place + 1]
        if marker == FILL or marker in STANDALONE:
            place += 1 if marker == FILL else 2
            continue
        if marker == SCAN:
            break
        (length,) = struct.unpack_from(">H", content, place + 2)
        if marker == END:
            raise UnreadableError("There are no pixels.")
        if marker in FRAMES:
            size = struct.unpack_from(">HH", content, place + 5)
        if marker == EXIF and not exif and content.startswith(b"Exif\0\0", place + 4):
            exif = content[place + 10 : place + 2 + length]
        if marker not in METADATA:
            kept.append(content[place : place + 2 + length])
        place += 2 + length
    end = content.find(b"\xff\xd9", place) + 2
    kept.append(content[place : end if end > 1 else None])
    if size is None or kept[-1].count(b"\xff\xda") > MAX_SCANS:
        raise UnreadableError("There are no pixels, or too many scans.")
    return Picture("JPEG", b"".join(kept), size[1], size[0], orientation(exif))


def _png(content: bytes) -> Picture:
    chunks: dict[bytes, list[bytes]] = {b"IHDR": [], b"PLTE": [], b"tRNS": [], b"IDAT": []}
    exif, place = b"", len(PNG)
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        start, place = place + 8, place + 12 + length
        if kind == b"IEND":
            break
        if kind in chunks and (kind == b"IDAT" or not chunks[kind]):
            chunks[kind].append(content[start : start + length])
        elif kind == b"eXIf" and not exif:
            exif = content[start : start + length]
    if not chunks[b"IHDR"] or not chunks[b"IDAT"]:
        raise UnreadableError("There are no pixels.")
    width, height = struct.unpack_from(">II", chunks[b"IHDR"][0])
    rebuilt = [PNG]
    for kind, parts in (*chunks.items(), (b"IEND", [b""])):
        if parts:
            data = b"".join(parts)
            rebuilt += [struct.pack(">I", len(data)), kind, data]
            rebuilt.append(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
    return Picture("PNG", b"".join(rebuilt), width, height, orientation(exif))


def _gif(content: bytes) -> Picture:
    width, height = struct.unpack_from("<HH", content, 6)
    place = 13 + _colors(content[10])
    head, control = content[:place], b""
    while content[place] == EXTENSION:
        start, place = place, _after_blocks(content, place + 2)
        if content[start + 1] == CONTROL:  # says which color is transparent
            control = content[start:place]
    if content[place] != IMAGE:
        raise UnreadableError("There are no pixels.")
    left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", content, place + 1)
    end = _after_blocks(content, place + 11 + _colors(flags))
    return Picture(
        "GIF",
        b"".join([head, control, content[place:end], b";"]),
        max(width, left + frame_width),
        max(height, top + frame_height),
    )


def _colors(flags: int) -> int:
    """Return the length of a table of colors."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(content: bytes, place: int) -> int:
    while length := content[place]:
        place += 1 + length
    return place + 1


def _webp(content: bytes) -> Picture:
    if content[8:12] != b"WEBP":
        raise UnreadableError("It is another kind of RIFF.")
    parts: dict[bytes, bytes] = {}
    frame: dict[bytes, bytes] = {}
    for kind, data in _chunks(content[12:]):
        parts.setdefault(kind, data)
        if kind == b"ANMF" and not frame:
            frame = dict(reversed(list(_chunks(data[16:]))))
    pixels = frame if b"ANMF" in parts else parts
    kind = next((kind for kind in (b"VP8 ", b"VP8L") if kind in pixels), b"")
    if not kind:
        raise UnreadableError("There are no pixels.")
    width, height = _webp_size(kind, pixels[kind])
    rebuilt = [(kind, pixels[kind])]
    if kind == b"VP8 " and b"ALPH" in pixels:
        # Only a file of this layout can have a transparency of its own.
        extended = bytes([0x10, 0, 0, 0])
        extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        rebuilt = [(b"VP8X", extended), (b"ALPH", pixels[b"ALPH"]), *rebuilt]
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in rebuilt
    )
    content = b"RIFF" + struct.pack("<I", len(body)) + body
    return Picture("WEBP", content, width, height, orientation(parts.get(b"EXIF", b"")))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, place)
        if place + 8 + length > len(content):
            raise UnreadableError("A chunk is cut off.")
        yield kind, content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int]:
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 6)
        return max(width & 0x3FFF, 1), max(height & 0x3FFF, 1)
    (bits,) = struct.unpack_from("<I", data, 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def orientation(exif: bytes) -> int:
    """Return the orientation that Exif data gives, from 1 to 8; 1, upright, if it gives none."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order:
            (start,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, start)
            for number in range(count):
                tag, value = struct.unpack_from(f"{order}H6xH", exif, start + 2 + 12 * number)
                if tag == ORIENTATION:
                    return value if value in range(1, 9) else 1
    except struct.error:
        pass
    return 1


READERS: dict[bytes, Callable[[bytes], Picture]] = {
    b"\xff\xd8": _jpeg,
    PNG: _png,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"RIFF": _webp,
}
