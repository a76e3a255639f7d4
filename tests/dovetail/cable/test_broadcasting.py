"""Broadcasts are sent on commit, and an unavailable channel layer breaks nothing."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers
from django.db import transaction

from dovetail.cable import hub
from dovetail.cable.broadcasting import broadcast, reauthorize
from dovetail.cable.hub import CONTROL, Hub
from dovetail.cable.streams import stream_name
from tests.dovetail.cable.conftest import LIMIT, Connect, turbo_identifier, until

pytestmark = pytest.mark.django_db(transaction=True)


class Layer(InMemoryChannelLayer):
    """A channel layer that can be made unavailable."""

    is_down = False
    unreadable = 0  # messages

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        if self.unreadable:
            self.unreadable -= 1
            raise ValueError("unpack(b) received extra data")
        return message

    async def group_add(self, group: str, channel: str) -> None:
        if self.is_down:
            raise ConnectionError("connection refused")
        await super().group_add(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.is_down:
            raise ConnectionError("connection refused")
        await super().group_send(group, message)


@pytest.fixture
def layer() -> Iterator[Layer]:
    layer = Layer()
    channel_layers.set("default", layer)
    yield layer
    channel_layers.backends.clear()


async def test_broadcast_is_sent_on_commit(connect: Connect) -> None:
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))

    def publish() -> None:
        with transaction.atomic():
            broadcast("news", message="one")
            broadcast("news", message="two")

    await sync_to_async(publish)()

    assert [(await browser.receive())["message"] for _ in range(2)] == ["one", "two"]


async def test_rolled_back_transaction_broadcasts_nothing(connect: Connect) -> None:
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))

    def publish() -> None:
        with transaction.atomic():
            broadcast("news", message="never")
            transaction.set_rollback(True)

    await sync_to_async(publish)()

    assert await browser.receives_nothing()


def test_unavailable_layer_breaks_no_transaction(
    layer: Layer, caplog: pytest.LogCaptureFixture
) -> None:
    layer.is_down = True

    with transaction.atomic():
        broadcast("news", message="lost")

    assert "The channel layer is unavailable; broadcast to news lost" in caplog.text


def test_lost_message_loses_no_other_of_the_transaction(
    layer: Layer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: followers who keep their access because another stream's message was lost."""
    sent: list[Any] = []

    async def send(group: str, message: dict[str, Any]) -> None:
        sent.append((group, message["stream"]))
        if len(sent) == 1:
            raise ConnectionResetError("once")

    monkeypatch.setattr(layer, "group_send", send)

    with transaction.atomic():
        for name in ("first", "second", "third"):
            reauthorize(name)

    assert sent == [(CONTROL, stream_name(name)) for name in ("first", "second", "third")]
    assert "cable.reauthorize not sent, sockets will be rechecked later: once" in caplog.text


async def test_subscription_waits_for_an_unavailable_layer(connect: Connect, layer: Layer) -> None:
    browser = await connect()
    identifier = turbo_identifier("news")
    layer.is_down = True

    await browser.send(command="subscribe", identifier=identifier)
    assert await browser.receives_nothing()

    layer.is_down = False
    assert (await browser.subscribe(identifier))["type"] == "confirm_subscription"
    await sync_to_async(broadcast)("news", message="back")
    assert (await browser.receive())["message"] == "back"


async def test_hanging_layer_does_not_block_a_browser_forever(
    connect: Connect, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "JOIN_TIMEOUT", 0.05)
    browser = await connect()
    monkeypatch.setattr(layer, "group_add", lambda *_: hang())

    await browser.send(command="subscribe", identifier=turbo_identifier("news"))
    answer = await browser.subscribe('{"channel": "None"}')

    assert answer["type"] == "reject_subscription"


async def test_socket_dropped_while_joining_leaves_no_subscription(
    connect: Connect, layer: Layer
) -> None:
    await connect()
    joining = await connect()
    await joining.subscribe('{"channel": "None"}')
    layer.group_add = lambda *_: hang()  # type: ignore[method-assign]
    await joining.send(command="subscribe", identifier=turbo_identifier("news"))
    await until(lambda: "news" in Hub.current().streams)
    (channel,) = Hub.current().streams["news"].channels

    channel.connection.drop("test")
    await joining.socket.wait(timeout=LIMIT)

    assert not Hub.current().streams["news"].channels


async def test_unreadable_message_is_skipped(
    connect: Connect, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RETRY", 0.01)
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))
    layer.unreadable = 1

    await sync_to_async(broadcast)("news", message="unreadable")
    await sync_to_async(broadcast)("news", message="after")

    assert (await browser.receive())["message"] == "after"


async def test_broken_layer_is_not_polled_in_a_tight_loop(
    connect: Connect, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RETRY", 60)
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))
    layer.unreadable = 1_000_000

    for _ in range(10):
        await sync_to_async(broadcast)("news", message="unreadable")

    assert await browser.receives_nothing()
    assert layer.unreadable == 1_000_000 - 1


async def hang() -> None:
    await asyncio.Event().wait()


async def test_streams_without_followers_are_removed(connect: Connect, layer: Layer) -> None:
    browser = await connect()
    identifier = turbo_identifier("news")
    await browser.subscribe(identifier)
    assert len(layer.groups) == 2  # the stream and the control group

    await browser.send(command="unsubscribe", identifier=identifier)
    await browser.send(command="message", identifier=identifier, data=json.dumps({}))
    assert await browser.receives_nothing()
    await Hub.current().tidy()

    assert len(layer.groups) == 1


async def test_hub_ends_with_its_last_socket(connect: Connect, layer: Layer) -> None:
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))

    await browser.close()
    await asyncio.sleep(0.05)

    assert not layer.groups
    assert Hub.of(asyncio.get_running_loop()) is None
