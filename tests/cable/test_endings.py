"""What ends a connection, and whether the real client comes back after it."""

import os
import signal

from dovetail.cable.broadcasting import broadcast
from tests.cable.clients import RECONNECT
from tests.cable.conftest import Connect
from tests.cable.servers import Web, wait_until
from tests.dovetail.devtools.processes import descendants


def test_who_broke_a_rule_stays_away(connect: Connect) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="rules")

    client.call("perform", "room", "speak", {"text": "x" * 17_000})

    client.wait("room", "disconnected")
    assert client.log("room", "disconnected") == [{"willAttemptReconnect": False}]
    assert client.call("isWatching") is False


def test_a_server_that_falls_silent_is_left_and_found_again(connect: Connect, web: Web) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="silence")
    assert web.process
    processes = {web.process.pid} | descendants(web.process.pid)

    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        wait_until(lambda: client.call("attempts"), "a new attempt")
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)

    # It leaves the old socket without a word to its subscriptions.
    wait_until(
        lambda: {"reconnected": True} in client.log("room", "connected"), "the return", RECONNECT
    )
    broadcast("room:silence", message="heard")
    assert client.received("room") == ["heard"]
