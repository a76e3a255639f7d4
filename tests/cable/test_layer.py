"""The channel layer against a Valkey that goes away."""

import asyncio
from contextlib import suppress

import pytest

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


async def end(layer: ValkeyChannelLayer, channel: str) -> None:
    receiving = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving


def restart(valkey: Valkey) -> None:
    with valkey.stopped():
        pass
