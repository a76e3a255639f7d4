"""What happens to files."""

from collections.abc import Callable
from pathlib import Path


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def empty(path: Path) -> None:
    path.write_bytes(b"")


FAULTS: dict[str, Callable[[Path], None]] = {
    "changed": change,
    "cut off": cut_off,
    "longer": lengthen,
    "empty": empty,
    "missing": Path.unlink,
}
