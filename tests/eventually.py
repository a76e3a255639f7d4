"""Waiting for what takes time."""

import time

import pytest


class Eventually:
    """Polls for something that takes time: `for _ in Eventually(): if …: break`."""

    def __init__(self, seconds: float = 30) -> None:
        self.deadline = time.monotonic() + seconds

    def __iter__(self) -> "Eventually":
        return self

    def __next__(self) -> None:
        if time.monotonic() > self.deadline:
            pytest.fail("The condition was not met in time")
        time.sleep(0.1)
