"""Sends files in chunks, read outside the event loop."""

from collections.abc import AsyncIterator
from typing import BinaryIO

from asgiref.sync import sync_to_async

CHUNK = 64 * 1024  # bytes


async def read_chunks(file: BinaryIO | None, size: int | None = None) -> AsyncIterator[bytes]:
    """Yield a file in chunks, from its current position.

    Args:
        file: the file; None, as for HEAD and 304, yields nothing.
        size: how many bytes to yield, by default all.
    """
    if file is None:
        return
    read = sync_to_async(file.read, thread_sensitive=False)
    left = float("inf") if size is None else size
    while left and (chunk := await read(int(min(CHUNK, left)))):
        left -= len(chunk)
        yield chunk
