"""Whether the real client reconnects after its connection ends."""

import os
import signal

from dovetail.cable.broadcasting import broadcast
from tests.cable.clients import RECONNECT
from tests.cable.conftest import Connect
from tests.cable.servers import Web, wait_until
from tests.dovetail.devtools.processes import descendants


def test_client_stays_disconnected_after_a_protocol_violation(connect: Connect) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="rules")

    client.call("perform", "room", "speak", {"text": "x" * 17_000})

    client.wait("room", "disconnected")
    assert client.log("room", "disconnected") == [{"willAttemptReconnect": False}]
    assert client.call("isWatching") is False


def test_client_reconnects_after_the_server_stops_responding(connect: Connect, web: Web) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="silence")
    assert web.process
    processes = {web.process.pid} | descendants(web.process.pid)

    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        wait_until(lambda: client.call("attempts"), "attempt to reconnect")
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)

    # The client leaves the old socket without notifying its subscriptions.
    wait_until(
        lambda: {"reconnected": True} in client.log("room", "connected"), "reconnect", RECONNECT
    )
    broadcast("room:silence", message="delivered")
    assert client.received("room") == ["delivered"]
