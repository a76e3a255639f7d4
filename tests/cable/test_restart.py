"""What a browser hears of a server that stops."""

import pytest

from dovetail.cable.broadcasting import broadcast
from tests.cable.servers import Web
from tests.cable.websocket import RawSocket

pytestmark = pytest.mark.django_db(transaction=True)

SOCKETS = 20


def test_a_stopping_server_says_that_it_will_be_back(web: Web) -> None:
    sockets = [RawSocket(web.url) for _ in range(SOCKETS)]
    for socket in sockets:
        assert socket.receive() == {"type": "welcome"}

    web.stop()

    goodbye = {"type": "disconnect", "reason": "server_restart", "reconnect": True}
    heard = [socket.receive() for socket in sockets]
    for socket in sockets:
        socket.close()
    web.start()
    assert heard == [goodbye] * SOCKETS


def test_a_broadcast_while_the_servers_are_away_harms_nobody(web: Web) -> None:
    web.stop()
    broadcast("room:nobody", message="unheard")
    web.start()
