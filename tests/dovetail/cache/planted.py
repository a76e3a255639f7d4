"""What someone who can write to a store may leave there."""

import os
import pickle
from pathlib import Path
from typing import Any

from dovetail.cache.values import encode


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.open, (str(self.file), os.O_CREAT)


def pickles(file: Path) -> list[bytes]:
    """Return pickles, in every protocol, that create a file."""
    return [
        pickle.dumps(Payload(file), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]


def garbage(file: Path) -> list[bytes]:
    """Return what no cache of this site has stored under a key, except under "other"."""
    signed = encode("other", "value")
    return [
        *pickles(file),
        *(signed[:33] + data for data in pickles(file)),
        pickle.dumps({"an": "earlier release"}),
        signed,
        signed[:-1],
        b"",
        b"text",
        b'{"json": true}',
        b"9" * 5000,
        b"-",
        b"1_000",
        b"\x01",
        bytes(range(256)),
    ]
