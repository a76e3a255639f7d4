"""Starts a separate stack that stores uploads in S3."""

from collections.abc import Iterator

import pytest

from dovetail.devtools.embedded.testing import free_ports
from dovetail.devtools.stack.ports import DISTANCES
from tests.e2e.conftest import running_stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/e2e/s3/"):
            item.add_marker(pytest.mark.long("starts a stack with an S3 server"))


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    with running_stack(free_ports(DISTANCES["S3_PORT"] + 8), "--s3") as address:
        yield address
