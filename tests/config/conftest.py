import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Restore the environment, which reading a `.env` adds to."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
