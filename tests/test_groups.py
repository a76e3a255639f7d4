"""Tests that share a server run in one worker; otherwise each worker would start one."""

import pytest

pytestmark = pytest.mark.xdist_group("groups")


@pytest.mark.parametrize("number", range(3))
def test_worker_gets_a_group_as_a_whole(
    request: pytest.FixtureRequest, worker_id: str, number: int
) -> None:
    """The kind: xdist drops the groups without a word, as it does on pytest 9.2."""
    del number
    is_distributed = worker_id != "master"

    assert request.node.nodeid.endswith("@groups") == is_distributed
