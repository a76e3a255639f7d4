from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.embedded.testing import throwaway_data_dir
from dovetail.devtools.supervisor.guard import Guard


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return an empty `DATA_DIR` that shares the checkout's embedded programs."""
    with throwaway_data_dir(settings.DATA_DIR) as directory:
        yield directory
