"""Copies streams, and tells what has passed."""

import hashlib
from collections.abc import Callable
from typing import IO, Protocol, TypeVar

CHUNK = 1024 * 1024  # bytes


Result = TypeVar("Result")


class Reader(Protocol):
    """What can be read, as a file or the body of an answer."""

    def read(self, size: int = -1, /) -> bytes: ...


class Counted:
    """Passes reads and writes on, and knows the size and the SHA-256 of what has passed.

    Attributes:
        size: in bytes.
        failure: what a read or a write has raised. Libraries in other languages do not pass it on.
    """

    def __init__(self, source: Reader | None = None, target: IO[bytes] | None = None) -> None:
        self._source, self._target = source, target
        self._hash = hashlib.sha256()
        self.size = 0
        self.failure: BaseException | None = None

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        assert self._source is not None  # noqa: S101 - it was given one
        source = self._source
        return self._passed(lambda: self._count(source.read(size)))

    def write(self, data: bytes) -> int:
        return self._passed(lambda: self._write(data))

    def flush(self) -> None:
        if self._target:
            self._target.flush()

    def _write(self, data: bytes) -> int:
        if self._target:
            self._target.write(data)
        return len(self._count(data))

    def _count(self, data: bytes) -> bytes:
        self._hash.update(data)
        self.size += len(data)
        return data

    def _passed(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except BaseException as error:
            self.failure = error
            raise


def copy(source: Reader, target: "Counted | IO[bytes]") -> None:
    while data := source.read(CHUNK):
        target.write(data)
