"""The real client against the real servers: Granian with two workers, Valkey, PostgreSQL."""

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from redis import Redis

from dovetail.cable.broadcasting import broadcast
from dovetail.cable.streams import sign
from dovetail.turbo.broadcasting import broadcast_later_to, broadcast_refresh_to
from tests.cable.clients import RECONNECT
from tests.cable.conftest import IN_BOTH, Connect
from tests.cable.servers import Valkey, Web
from tests.dovetail.cable.conftest import log_in
from tests.factories import make_user

PAGES = 6  # enough for both workers to serve some
# Pages may catch up at any time: an earlier test may have stopped Valkey.
REFRESH = '<turbo-stream action="refresh"></turbo-stream>'


def turbo(stream: str, user_id: str | None = None) -> dict[str, str]:
    channel = "TurboStreamsChannel"
    return {"channel": channel, "signed_stream_name": sign(channel, stream, user_id)}


@IN_BOTH
def test_subscribe_receive_perform_unsubscribe(connect: Connect) -> None:
    client = connect()
    client.subscribe("blue", channel="RoomChannel", room="blue")
    # The client asks twice a second until it is answered, so it may get several answers.
    assert client.log("blue", "connected")[0] == {"reconnected": False}
    assert client.call("protocol") == "actioncable-v1-json"

    broadcast("room:blue", message={"html": "<b>木</b>", "list": [1, None, True]})
    assert client.received("blue") == [{"html": "<b>木</b>", "list": [1, None, True]}]

    client.call("perform", "blue", "speak", {"text": "hello"})
    assert client.received("blue", count=2)[1] == {"said": "hello"}
    client.call("send", "blue", {"n": 1})
    assert client.received("blue", count=3)[2] == {"received": {"n": 1}}

    client.call("unsubscribe", "blue")
    client.subscribe("green", channel="RoomChannel", room="green")
    broadcast("room:blue", message="not delivered")
    broadcast("room:green", message="delivered")
    assert client.received("green") == ["delivered"]
    assert len(client.log("blue", "received")) == 3


def test_rejection_does_not_affect_other_subscriptions(connect: Connect) -> None:
    client = connect()
    client.subscribe("open", channel="RoomChannel", room="open")

    client.subscribe("closed", channel="RoomChannel", room="closed")
    client.subscribe("unknown", channel="NoSuchChannel")
    client.subscribe("forged", channel="TurboStreamsChannel", signed_stream_name="forged")

    for key in ("closed", "unknown", "forged"):
        assert client.log(key, "connected") == []
    broadcast("room:open", message="still here")
    assert client.received("open") == ["still here"]
    assert client.log("open", "disconnected") == []


def test_any_identifier_is_confirmed(connect: Connect) -> None:
    client = connect()

    client.subscribe("order", room="a", channel="RoomChannel")
    client.subscribe("script", channel="RoomChannel", room='木 " \\ \u2028 😀')
    client.subscribe(
        "nested", channel="RoomChannel", room="b", extra={"z": [1, {"y": None}], "a": 1.5}
    )

    for key in ("order", "script", "nested"):
        assert client.log(key, "connected")[0] == {"reconnected": False}


def test_two_subscriptions_with_one_identifier_both_receive(connect: Connect) -> None:
    client = connect()
    client.subscribe("one", channel="RoomChannel", room="shared")
    client.subscribe("two", channel="RoomChannel", room="shared")

    broadcast("room:shared", message=1)
    assert client.received("one") == client.received("two") == [1]

    client.call("unsubscribe", "one")
    broadcast("room:shared", message=2)
    assert client.received("two", count=2) == [1, 2]


def test_broadcast_reaches_pages_of_both_workers(connect: Connect) -> None:
    clients = [connect() for _ in range(PAGES)]
    for client in clients:
        client.subscribe("room", channel="RoomChannel", room="both")

    for number in range(20):
        broadcast("room:both", message=number)

    for client in clients:
        assert client.received("room", count=20) == list(range(20))


@pytest.mark.usefixtures("_queued")
def test_task_broadcasts_through_valkey(connect: Connect) -> None:
    clients = [connect() for _ in range(PAGES)]
    for client in clients:
        client.subscribe("news", **turbo("news"))

    user = make_user(display_name="Zora")
    broadcast_later_to(
        "news", action="append", target="people", template="components/avatar.html",
        context={"person": user, "size": 32},
    )  # fmt: skip

    for client in clients:
        (html,) = client.received("news", besides=REFRESH)
        assert html.startswith('<turbo-stream action="append" target="people">')
        assert ">Z</text>" in html


def test_client_is_anonymous_after_its_session_ends(connect: Connect) -> None:
    user = make_user()
    session = log_in(user)
    client = connect(session)
    client.subscribe("mine", **turbo("mine", str(user.pk)))
    client.subscribe("room", channel="RoomChannel", room="who")
    client.call("perform", "room", "who", {})
    assert client.received("room") == [{"user": str(user.pk)}]

    SessionStore(session).delete()
    client.wait("room", "disconnected")
    client.wait_for_reconnect("room")
    client.wait("mine", "rejected")

    client.call("perform", "room", "who", {})
    assert client.received("room", count=2)[1] == {"user": None}
    broadcast("mine", message="private")
    broadcast("room:who", message="public")
    client.received("room", count=3)
    assert "private" not in client.log("mine", "received")


@pytest.mark.long("restarts the servers; test_restart.py does so in any run")
def test_client_reconnects_to_a_restarted_server(connect: Connect, web: Web) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="restart")

    with web.stopped():
        client.wait("room", "disconnected")
        assert client.log("room", "disconnected") == [{"willAttemptReconnect": True}]

    client.wait_for_reconnect("room")
    assert {"reconnected": True} in client.log("room", "connected")
    broadcast("room:restart", message="again")
    assert client.received("room") == ["again"]


def test_pages_refresh_after_valkey_restarts(connect: Connect, valkey: Valkey) -> None:
    clients = [connect() for _ in range(PAGES)]
    for client in clients:
        client.subscribe("news", **turbo("news"))

    with valkey.stopped():
        broadcast_refresh_to("news")  # lost and logged

    # No client had to reconnect, and every page was told to refresh.
    for client in clients:
        assert REFRESH in client.received("news", seconds=RECONNECT)
        assert client.log("news", "disconnected") == []
    broadcast("news", message="after")
    for client in clients:
        assert client.received("news", besides=REFRESH) == ["after"]


def test_session_ended_while_valkey_is_unavailable_is_noticed_afterwards(
    connect: Connect, valkey: Valkey
) -> None:
    user = make_user()
    session = log_in(user)
    client = connect(session)
    client.subscribe("mine", **turbo("mine", str(user.pk)))

    with valkey.stopped():
        SessionStore(session).delete()  # its broadcast is lost

    client.wait("mine", "disconnected", seconds=RECONNECT)
    client.wait("mine", "rejected", seconds=RECONNECT)
    broadcast("mine", message="private")
    # This message arrives on the same socket, after the one that was not meant for it.
    client.subscribe("room", channel="RoomChannel", room="afterwards")
    broadcast("room:afterwards", message="public")
    client.received("room")
    assert "private" not in client.log("mine", "received")


def test_invalid_layer_message_is_ignored(connect: Connect, valkey: Valkey) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room="noise")

    with Redis.from_url(valkey.url) as server:
        assert server.publish(f"{settings.PROJECT_NAME}.__group__cable.control", b"\xc1")

    broadcast("room:noise", message="delivered")
    assert client.received("room") == ["delivered"]


def test_subscription_waits_while_valkey_is_unavailable(connect: Connect, valkey: Valkey) -> None:
    client = connect()
    client.subscribe("before", channel="RoomChannel", room="before")
    with valkey.stopped():
        client.call("subscribe", "during", {"channel": "RoomChannel", "room": "during"})
        assert client.log("during", "connected") == []

    client.wait("during", "connected", seconds=RECONNECT)
    broadcast("room:during", message="delivered")
    assert client.received("during") == ["delivered"]


@pytest.mark.parametrize("path", ["/", "/other"])
def test_many_broadcasts_arrive_in_order(connect: Connect, path: str) -> None:
    client = connect()
    client.subscribe("room", channel="RoomChannel", room=path)

    for number in range(200):
        broadcast(f"room:{path}", message=number)

    assert client.received("room", count=200) == list(range(200))
