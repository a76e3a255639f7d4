"""The channel layer against a Valkey that goes away."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from redis.asyncio import Redis

from config.settings.parts.channels import CHANNEL_LAYERS
from dovetail.cable import presence
from dovetail.cable.hub import CONTROL, Hub
from dovetail.cable.layer import ValkeyChannelLayer
from dovetail.cache import outages
from tests.cable.servers import Valkey


class Pages:
    """Stands in for the hub and counts how often it is told to catch up."""

    def __init__(self) -> None:
        self.refreshes = 0

    def catch_up(self) -> None:
        self.refreshes += 1


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    pages = Pages()
    monkeypatch.setattr(Hub, "of", lambda _loop: pages)
    return pages


@pytest.mark.parametrize(("is_subscribed", "refreshes"), [(True, 1), (False, 0)])
def test_pages_catch_up_only_if_messages_may_be_lost(
    valkey: Valkey, pages: Pages, *, is_subscribed: bool, refreshes: int
) -> None:
    async def restart_while_subscribed_or_not() -> None:
        layer = ValkeyChannelLayer(hosts=[{"address": valkey.url}])
        kept, ended = await layer.new_channel(), await layer.new_channel()
        await end(layer, ended)
        if not is_subscribed:
            await end(layer, kept)
        await asyncio.to_thread(restart, valkey)
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "works"})
        assert await layer.receive(channel) == {"type": "works"}
        await layer.flush()

    asyncio.run(restart_while_subscribed_or_not())

    assert pages.refreshes == refreshes


def test_only_what_the_site_has_published_arrives(
    valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: HTML of open pages that is trusted because a store has sent it."""

    async def publish_as_a_stranger() -> None:
        layer = ValkeyChannelLayer(hosts=[{"address": valkey.url}])
        mine, theirs = await layer.new_channel(), await layer.new_channel()
        async with Redis.from_url(valkey.url) as stranger, stranger.pubsub() as listener:
            await listener.subscribe(mine)
            assert await listener.get_message(timeout=30)
            await layer.send(mine, {"type": "mine"})
            signed = await listener.get_message(timeout=30)
            assert signed
            for data in (layer.serialize({"type": "forged"}), b"", b"\xc1", signed["data"]):
                assert await stranger.publish(theirs, data) == 1
        await layer.send(theirs, {"type": "theirs"})

        assert await layer.receive(mine) == {"type": "mine"}
        assert await layer.receive(theirs) == {"type": "theirs"}
        await layer.flush()

    asyncio.run(publish_as_a_stranger())

    assert caplog.text.count("that is not signed") == 4


def layer_at(url: str, **options: Any) -> ValkeyChannelLayer:
    """Return the layer of the settings, on another server."""
    config = CHANNEL_LAYERS["default"]["CONFIG"]
    [host] = config["hosts"]
    return ValkeyChannelLayer(**config | {"hosts": [host | {"address": url} | options]})


class Hanging:
    """A server that accepts connections and never answers, as a stopped process does."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        self.connected: list[socket.socket] = []

    def tries_of(self, ask: Coroutine[Any, Any, list[Any]]) -> int:
        """Return how often the server is connected to by what returns only timeouts."""
        before = len(self.connected)
        errors = asyncio.run(ask)
        assert {type(error) for error in errors} == {redis.TimeoutError}
        with suppress(TimeoutError):
            while True:
                self.connected.append(self.listener.accept()[0])
        return len(self.connected) - before


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(outages, "_paused", {})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)
        server = Hanging(listener)
        yield server
        for connection in server.connected:
            connection.close()


def test_hanging_server_is_waited_for_once(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a save that waits for four timeouts with each message that it sends."""
    layer = layer_at(hanging.url, socket_timeout=0.05)

    async def publish() -> list[Any]:
        messages = (layer.group_send("group", {"type": "lost"}) for _ in range(3))
        return list(await asyncio.gather(*messages, return_exceptions=True))

    assert hanging.tries_of(publish()) == 1
    assert hanging.tries_of(publish()) == 0  # on another loop, as in another thread
    monkeypatch.setattr(outages, "_paused", {})
    assert hanging.tries_of(publish()) == 1


def test_revocation_is_sent_although_a_broadcast_was_not_answered(hanging: Hanging) -> None:
    layer = layer_at(hanging.url, socket_timeout=0.05)

    async def publish(group: str) -> list[Any]:
        messages = (layer.group_send(group, {"type": "lost"}) for _ in range(3))
        return list(await asyncio.gather(*messages, return_exceptions=True))

    assert hanging.tries_of(publish("group")) == 1
    assert hanging.tries_of(publish(CONTROL)) == 1
    assert hanging.tries_of(publish(CONTROL)) == 0
    assert hanging.tries_of(publish("group")) == 0


def test_presence_waits_once_for_a_hanging_server(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "TIMEOUT", 0.05)

    async def count() -> list[Any]:
        async with presence.server_at(hanging.url) as server:
            return list(await asyncio.gather(server.zcard("people"), return_exceptions=True))

    assert hanging.tries_of(count()) == 1


def test_message_survives_a_connection_that_has_become_stale(valkey: Valkey) -> None:
    async def publish_before_and_after() -> None:
        layer = layer_at(valkey.url)
        await layer.group_send("group", {"type": "before"})
        await asyncio.to_thread(restart, valkey)
        await layer.group_send("group", {"type": "after"})
        await layer.flush()

    asyncio.run(publish_before_and_after())


async def end(layer: ValkeyChannelLayer, channel: str) -> None:
    receiving = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving


def restart(valkey: Valkey) -> None:
    with valkey.stopped():
        pass
