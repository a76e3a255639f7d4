"""Malformed and abusive clients, over real sockets."""

import json
import socket as sockets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from dovetail.cable.broadcasting import broadcast
from tests.cable.servers import Web
from tests.cable.websocket import HandshakeRejected, RawSocket

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = json.dumps({"channel": "RoomChannel", "room": "raw"})
INVALID_REQUEST = {"type": "disconnect", "reason": "invalid_request", "reconnect": False}


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
def test_handshake_with_wrong_origin_or_subprotocol_is_rejected(
    web: Web, headers: dict[str, str]
) -> None:
    with pytest.raises(HandshakeRejected, match="403"):
        RawSocket(web.url, headers=headers)


@pytest.mark.parametrize(
    "content", ["{", "[" * 15_000, "x" * 17_000, "x" * 10_000_000, b"\0" * 100, b"\0" * 10_000_000]
)
def test_malformed_message_closes_the_socket_for_good(raw: RawSocket, content: str | bytes) -> None:
    raw.send(content)

    assert raw.receive() == INVALID_REQUEST
    assert raw.receive() is None


def test_flood_of_messages_closes_the_socket_for_good(raw: RawSocket) -> None:
    try:
        for _ in range(2000):
            raw.command("unsubscribe", ROOM)
    except ConnectionError:
        return  # the server closed the socket in the middle of the flood

    assert raw.receive() == INVALID_REQUEST


def test_stuck_reader_is_dropped_while_others_receive(
    raw: RawSocket, open_socket: OpenSocket
) -> None:
    raw.command("subscribe", ROOM)
    assert raw.receive() == {"identifier": ROOM, "type": "confirm_subscription"}
    stopped = open_socket()
    stopped.command("subscribe", ROOM)
    stopped.receive()

    # `stopped` reads nothing more, so the operating system's buffers for it soon fill up.
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


def test_vanished_clients_do_not_affect_new_ones(open_socket: OpenSocket) -> None:
    for _ in range(20):
        socket = open_socket()
        socket.command("subscribe", ROOM)
        socket.close()

    after = open_socket()
    after.command("subscribe", ROOM)
    assert after.receive() == {"identifier": ROOM, "type": "confirm_subscription"}
    broadcast("room:raw", message="delivered")
    message = after.receive()
    assert message
    assert message["message"] == "delivered"


def test_unfinished_handshake_does_not_block_others(web: Web, open_socket: OpenSocket) -> None:
    parts = urlsplit(web.url)
    with sockets.create_connection((parts.hostname, parts.port), 10) as half:
        half.sendall(b"GET /cable HTTP/1.1\r\nHost: x\r\nUpgrade: webso")

        open_socket()
