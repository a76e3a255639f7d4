"""Gauges are measured in a thread, while others change what is counted."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.db.backends.signals import connection_created
from psycopg.pq import PGconn

from dovetail.cable.hub import Hub
from dovetail.telemetry import metrics

CHANGES = 5_000


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    metrics.watch_connections()
    yield
    connection_created.disconnect(dispatch_uid="dovetail.telemetry")


def measured(measure: Callable[[], Any], change: Callable[[], object]) -> list[Any]:
    """Return what is measured again and again while another thread makes its changes."""
    has_ended = threading.Event()

    def work() -> None:
        try:
            for _ in range(CHANGES):
                change()
        finally:
            has_ended.set()

    before, found = sys.getswitchinterval(), []
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not has_ended.is_set():
            found.append(measure())
    finally:
        thread.join()
        sys.setswitchinterval(before)
    return found


def test_connections_are_counted_while_others_are_opened() -> None:
    opened: list[psycopg.Connection[Any]] = []
    wrapper = connections["default"].copy()

    def open_another() -> None:
        wrapper.connection = psycopg.Connection[Any](PGconn.connect_start(b"host=/nowhere"))
        connection_created.send(None, connection=wrapper)
        opened.append(wrapper.connection)

    for count in measured(metrics.connections, open_another):
        assert count.keys() == {"used", "idle"}


@pytest.mark.django_db(transaction=True)
def test_open_connections_are_counted_once() -> None:
    connection = connections["default"]
    connection.close()
    before = metrics.connections()["idle"]

    connection.ensure_connection()
    connection_created.send(None, connection=connection)  # as when a pool gives it out again
    assert metrics.connections()["idle"] == before + 1

    connection.close()
    assert metrics.connections()["idle"] == before


class Visitor:
    """What a hub needs of a socket to count it."""

    identity = SimpleNamespace(holder="someone")


def test_sockets_are_counted_while_another_loop_begins() -> None:
    socket: Any = Visitor()
    loops = [asyncio.new_event_loop() for _ in range(50)]

    async def begin() -> None:
        Hub.current().add(socket)

    async def end() -> None:
        Hub.current().remove(socket)

    async def begin_and_end() -> None:
        await begin()
        await end()

    for loop in loops:
        loop.run_until_complete(begin())
    try:
        counts = measured(Hub.count_sockets, lambda: asyncio.run(begin_and_end()))
    finally:
        for loop in loops:
            loop.run_until_complete(end())
            loop.run_until_complete(asyncio.sleep(0))  # in which its tasks end
            loop.close()

    assert set(counts) <= {50, 51}
    assert Hub.count_sockets() == 0
