"""What browsers are told when the server stops."""

import pytest

from dovetail.cable.broadcasting import broadcast
from tests.cable.servers import Web
from tests.cable.websocket import RawSocket

pytestmark = pytest.mark.django_db(transaction=True)

SOCKETS = 20


def test_stopping_server_asks_clients_to_reconnect(web: Web) -> None:
    sockets = [RawSocket(web.url) for _ in range(SOCKETS)]
    for socket in sockets:
        assert socket.receive() == {"type": "welcome"}

    with web.stopped():
        received = [socket.receive() for socket in sockets]
        broadcast("room:empty", message="not delivered")  # without a server, and without an error

    restart = {"type": "disconnect", "reason": "server_restart", "reconnect": True}
    assert received == [restart] * SOCKETS
    for socket in sockets:
        socket.close()
