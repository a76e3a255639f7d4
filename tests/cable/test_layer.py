"""The channel layer against a Valkey that goes away."""

import asyncio
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from dovetail.cable.hub import Hub
from dovetail.cable.layer import ValkeyChannelLayer
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


async def end(layer: ValkeyChannelLayer, channel: str) -> None:
    receiving = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving


def restart(valkey: Valkey) -> None:
    with valkey.stopped():
        pass
