import logging
from collections.abc import Iterator

import pytest

from dovetail.devtools.embedded.testing import throwaway_valkey


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return the URL of a broker of the module's own."""
    with throwaway_valkey() as url:
        yield f"{url}/0"


@pytest.fixture(autouse=True)
def _level_of_logs() -> Iterator[None]:
    """Give later tests what workers in this process have turned down."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
