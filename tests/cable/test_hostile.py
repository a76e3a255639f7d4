"""What no honest client sends, over real sockets."""

import json
import socket as sockets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from dovetail.cable.broadcasting import broadcast
from tests.cable.servers import Web
from tests.cable.websocket import RawSocket, Refused

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = json.dumps({"channel": "RoomChannel", "room": "raw"})
FOR_GOOD = {"type": "disconnect", "reason": "invalid_request", "reconnect": False}


OpenSocket = Callable[[], RawSocket]


@pytest.fixture
def open_socket(web: Web) -> Iterator[OpenSocket]:
    with ExitStack() as stack:

        def open_socket() -> RawSocket:
            socket = stack.enter_context(closing(RawSocket(web.url)))
            assert socket.receive() == {"type": "welcome"}
            return socket

        yield open_socket


@pytest.fixture
def raw(open_socket: OpenSocket) -> RawSocket:
    return open_socket()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"sec-websocket-protocol": ""},
        {"sec-websocket-protocol": "graphql-ws"},
    ],
)
def test_a_handshake_that_is_not_ours_is_refused(web: Web, headers: dict[str, str]) -> None:
    with pytest.raises(Refused, match="403"):
        RawSocket(web.url, headers=headers)


@pytest.mark.parametrize(
    "content", ["{", "[" * 15_000, "x" * 17_000, "x" * 10_000_000, b"\0" * 100, b"\0" * 10_000_000]
)
def test_nonsense_ends_the_socket_for_good(raw: RawSocket, content: str | bytes) -> None:
    raw.send(content)

    assert raw.receive() == FOR_GOOD
    assert raw.receive() is None


def test_a_flood_ends_the_socket_for_good(raw: RawSocket) -> None:
    try:
        for _ in range(2000):
            raw.command("unsubscribe", ROOM)
    except ConnectionError:
        return  # it was closed before we were done

    assert raw.receive() == FOR_GOOD


def test_a_reader_that_stops_is_dropped_and_the_others_hear_on(
    raw: RawSocket, open_socket: OpenSocket
) -> None:
    raw.command("subscribe", ROOM)
    assert raw.receive() == {"identifier": ROOM, "type": "confirm_subscription"}
    stopped = open_socket()
    stopped.command("subscribe", ROOM)
    stopped.receive()

    # It reads no more, and what the system buffers for it is soon full.
    sent = 120
    for number in range(sent):
        broadcast("room:raw", message=[number, "x" * 100_000])
        message = raw.receive()
        assert message
        assert message["message"][0] == number

    time.sleep(1)
    received = 0
    while stopped.receive():
        received += 1
    assert received < sent


def test_a_page_that_vanishes_leaves_nothing(open_socket: OpenSocket) -> None:
    for _ in range(20):
        socket = open_socket()
        socket.command("subscribe", ROOM)
        socket.close()

    after = open_socket()
    after.command("subscribe", ROOM)
    assert after.receive() == {"identifier": ROOM, "type": "confirm_subscription"}
    broadcast("room:raw", message="heard")
    message = after.receive()
    assert message
    assert message["message"] == "heard"


def test_a_handshake_that_never_ends_holds_nobody_up(web: Web, open_socket: OpenSocket) -> None:
    parts = urlsplit(web.url)
    with sockets.create_connection((parts.hostname, parts.port), 10) as half:
        half.sendall(b"GET /cable HTTP/1.1\r\nHost: x\r\nUpgrade: webso")

        open_socket()
