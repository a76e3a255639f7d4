"""Pooled connections that the server has ended are replaced, and the others used as they are."""

from collections.abc import Iterator

import pytest
from django.db import connections

from dovetail.database.base import DatabaseWrapper

pytestmark = pytest.mark.django_db

ALIAS = "pooled"
SIZE = 3  # connections


@pytest.fixture
def pooled() -> Iterator[DatabaseWrapper]:
    """Give a connection of its own pool to the database server."""
    options = connections["default"].settings_dict
    wrapper = DatabaseWrapper(
        options
        | {
            "NAME": "postgres",
            "CONN_HEALTH_CHECKS": False,
            "OPTIONS": {"pool": {"min_size": SIZE, "max_size": SIZE, "timeout": 10}},
        },
        alias=ALIAS,
    )
    connections[ALIAS] = wrapper
    wrapper.pool.open(wait=True)
    yield wrapper
    wrapper.close()
    wrapper.close_pool()
    del connections[ALIAS]


def backend(wrapper: DatabaseWrapper) -> int:
    """Take a connection from the pool, and return the process of the server that it leads to."""
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    wrapper.close()  # gives it back
    return int(pid)


def terminate(pids: set[int]) -> None:
    with connections["default"].cursor() as cursor:
        for pid in pids:
            # Waits until the process has ended.
            cursor.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])
            assert cursor.fetchone() == (True,)


def test_connection_is_used_again(pooled: DatabaseWrapper) -> None:
    assert len({backend(pooled) for _ in range(4 * SIZE)}) <= SIZE


def test_ended_connections_are_replaced(pooled: DatabaseWrapper) -> None:
    """As by a restart of the server: no request fails, and none waits for the pool's limit."""
    before = {backend(pooled) for _ in range(4 * SIZE)}

    terminate(before)

    after = {backend(pooled) for _ in range(4 * SIZE)}
    assert after
    assert not after & before


def test_check_sends_nothing(pooled: DatabaseWrapper) -> None:
    """Kind: a query for each request that only asks whether there can be one."""
    backend(pooled)  # Django asks for some types the first time
    taken = [pooled.pool.getconn() for _ in range(SIZE)]
    for connection in taken:
        connection.execute("SELECT set_config('application_name', 'waits', false)")
        pooled.pool.putconn(connection)

    pooled.ensure_connection()

    with connections["default"].cursor() as cursor:
        # What each has run last.
        cursor.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'waits'")
        assert {query for (query,) in cursor} == {
            "SELECT set_config('application_name', 'waits', false)"
        }


def test_site_uses_it() -> None:
    assert isinstance(connections["default"], DatabaseWrapper)
