from collections.abc import Iterator

import pytest

from dovetail.devtools.embedded.testing import throwaway_valkey


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return the URL of a broker of the module's own."""
    with throwaway_valkey() as url:
        yield f"{url}/0"
