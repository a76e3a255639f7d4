"""How many people follow a stream: over windows, people and processes."""

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest

from apps.core.cable import presence
from apps.core.cable.hub import Hub
from apps.core.cable.presence import Rooms
from tests.core.cable.conftest import Browser, Connect, turbo_identifier


def show(count: int) -> str:
    return f"{count} here"


@pytest.fixture
async def follower(connect: Connect) -> AsyncIterator[Browser]:
    browser = await connect()
    await browser.subscribe(turbo_identifier("room"))
    yield browser
    await Rooms.current().server.aclose()


async def told(follower: Browser, text: str) -> None:
    """Wait for a number; of several within a moment only the last one comes."""
    while (await follower.receive())["message"] != text:
        pass


async def test_people_are_counted_once(follower: Browser) -> None:
    await presence.enter("room", "ada", show)
    await presence.enter("room", "ada", show)  # a second window
    await presence.enter("room", "bob", show)
    await told(follower, "2 here")

    await presence.leave("room", "ada")
    await presence.leave("room", "bob")
    await told(follower, "1 here")

    await presence.leave("room", "ada")
    await told(follower, "0 here")
    assert not Rooms.current().rooms


async def test_leaving_without_having_come_is_nothing(follower: Browser) -> None:
    await presence.leave("room", "nobody")

    assert await follower.receives_nothing()


async def test_those_of_a_process_that_died_are_forgotten(follower: Browser) -> None:
    with patch.object(presence, "LIFETIME", 0.3):
        await presence.enter("room", "of a dead process", show)
    Rooms.current().rooms.clear()
    await presence.enter("room", "ada", show)
    await told(follower, "2 here")

    await asyncio.sleep(0.4)
    with patch.object(presence, "REFRESH", 0):
        await presence.keep(Hub.current())

    await told(follower, "1 here")
    await presence.leave("room", "ada")


async def test_without_its_server_nobody_is_counted_and_nothing_breaks(
    follower: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(Rooms.current(), "server", presence.server_at("redis://127.0.0.1:1")):
        await presence.enter("room", "ada", show)
        await presence.leave("room", "ada")

    assert await follower.receives_nothing()
    assert "nobody knows who follows room" in caplog.text
