"""A server takes the place of another one under load, as Compose and Kubernetes replace them.

This is the short form; tests/rehearsal does it with the whole site, sockets and workers.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.dovetail.serving.servers import LIMIT, Serve
from tests.rehearsal.balancer import Balancer
from tests.rehearsal.visitors import Traffic, Visitor

pytestmark = pytest.mark.xdist_group("waits")

REQUESTS = 1000


def visit(visitor: Visitor) -> None:
    for _ in range(5):
        visitor.get("/quick/")
    visitor.get("/database/")
    assert visitor.get("/stream/") == "first,last"
    assert visitor.post("/upload/", "x" * 100_000) == "100000"


def has_made(traffic: Traffic, requests: int) -> bool:
    return traffic.total() >= requests


@pytest.fixture
def servers() -> Iterator[list[Serve]]:
    """Return a list; what a test adds to it is ended."""
    servers: list[Serve] = []
    yield servers
    with ExitStack() as ends:
        for server in servers:
            ends.callback(server.end)


def test_replaced_servers_fail_no_request(servers: list[Serve], tmp_path: Path) -> None:
    """Kind: requests that a server gets after it has told the balancer that it stops."""
    balancer = Balancer()
    traffic = Traffic(balancer.port, {"Host": "127.0.0.1"})

    def start() -> Serve:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        server = Serve(folder, DRAIN="2")
        server.released.touch()  # so that streams end by themselves
        servers.append(server)
        balancer.add(server.port)
        server.wait_for(lambda: balancer.is_ready(server.port) or server.has_ended())
        return server

    try:
        old = [start(), start()]
        for keep_alive in (True, False):
            traffic.add(visit, keep_alive=keep_alive, number=2)
        for server in old:
            server.wait_for(partial(has_made, traffic, traffic.total() + REQUESTS // 3))
            start()
            server.process.terminate()
            assert server.process.wait(LIMIT) == 0
            balancer.remove(server.port)
        servers[-1].wait_for(partial(has_made, traffic, REQUESTS))
    finally:
        traffic.end()
        balancer.stop()

    assert traffic.failures == {}
    assert traffic.total() >= REQUESTS
    assert set(balancer.served) == {server.port for server in servers}
    assert not any(server.says('"ERROR"') for server in servers)


def test_server_that_stops_at_once_is_noticed(servers: list[Serve], tmp_path: Path) -> None:
    """Kind: a balancer that hides failures, so that the other test proves nothing."""
    server = Serve(tmp_path, DRAIN="2")
    servers.append(server)
    server.released.touch()
    balancer = Balancer(server.port)
    traffic = Traffic(balancer.port, {"Host": "127.0.0.1"})
    try:
        server.wait_for(lambda: balancer.is_ready(server.port) or server.has_ended())
        traffic.add(visit, number=2)
        server.wait_for(lambda: traffic.total() >= 50)
        server.process.kill()
        server.wait_for(lambda: traffic.failures)
    finally:
        traffic.end()
        balancer.stop()
