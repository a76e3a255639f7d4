"""How many people follow a stream: over windows, people and processes."""

import time
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest

from dovetail.cable import presence
from dovetail.cable.broadcasting import abroadcast
from dovetail.cable.hub import Hub
from dovetail.cable.presence import Rooms
from tests.dovetail.cable.conftest import Browser, Connect, turbo_identifier, until


def show(count: int) -> str:
    return f"{count} here"


@pytest.fixture
async def follower(connect: Connect) -> AsyncIterator[Browser]:
    browser = await connect()
    await browser.subscribe(turbo_identifier("room"))
    yield browser
    await until(lambda: not Rooms.current().tasks)
    await Rooms.current().server.aclose()


async def told(follower: Browser, text: str) -> None:
    """Wait for a number; of several within a moment only the last one comes."""
    while (await follower.receive())["message"] != text:
        pass


async def test_people_are_counted_once(follower: Browser) -> None:
    presence.enter("room", "ada", show)
    presence.enter("room", "ada", show)  # a second window
    presence.enter("room", "bob", show)
    await told(follower, "2 here")

    presence.leave("room", "ada")
    presence.leave("room", "bob")
    await told(follower, "1 here")

    presence.leave("room", "ada")
    await told(follower, "0 here")
    await until(lambda: not Rooms.current().rooms)


async def test_who_is_still_in_another_process_has_not_left(follower: Browser) -> None:
    here, there = Rooms.current(), Rooms()
    presence.enter("room", "ada", show)
    presence.enter("room", "bob", show)
    await told(follower, "2 here")
    with patch.object(Rooms, "current", return_value=there):
        presence.enter("room", "ada", show)
    assert (await follower.receive())["message"] == "2 here"

    presence.leave("room", "ada")
    presence.leave("room", "bob")
    await told(follower, "1 here")

    with patch.object(Rooms, "current", return_value=there):
        presence.leave("room", "ada")
    await told(follower, "0 here")
    await until(lambda: not here.tasks | there.tasks)


@pytest.mark.parametrize("rooms", [1, 300])
async def test_a_crowd_comes_at_once(
    follower: Browser, caplog: pytest.LogCaptureFixture, rooms: int
) -> None:
    names = ["room", *(f"room {number}" for number in range(1, rooms))]

    for number in range(300):
        presence.enter(names[number % rooms], f"person {number}", show)

    await told(follower, f"{300 // rooms} here")
    await until(lambda: not Rooms.current().tasks)
    assert caplog.text == ""
    for number in range(300):
        presence.leave(names[number % rooms], f"person {number}")


async def test_a_number_that_was_overtaken_is_put_right(follower: Browser) -> None:
    presence.enter("room", "ada", show)
    await told(follower, "1 here")
    await abroadcast("room", message="7 here")  # another process counted a moment before
    await told(follower, "7 here")

    with patch.object(presence, "REFRESH", 0):
        await presence.keep(Hub.current())
        await told(follower, "1 here")
        await presence.keep(Hub.current())
    assert await follower.receives_nothing()
    presence.leave("room", "ada")


async def test_leaving_without_having_come_is_nothing(follower: Browser) -> None:
    presence.leave("room", "nobody")

    assert await follower.receives_nothing()


async def test_those_of_a_process_that_died_are_forgotten(follower: Browser) -> None:
    presence.enter("room", "of a dead process", show)
    await until(lambda: not Rooms.current().tasks)
    Rooms.current().rooms.clear()
    presence.enter("room", "ada", show)
    await told(follower, "2 here")

    later = time.time() + presence.LIFETIME + 1
    with patch.object(presence, "REFRESH", 0), patch("time.time", lambda: later):
        await presence.keep(Hub.current())
        await told(follower, "1 here")
    presence.leave("room", "ada")


async def test_without_its_server_nobody_is_counted_and_nothing_breaks(
    follower: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(Rooms.current(), "server", presence.server_at("redis://127.0.0.1:1")):
        presence.enter("room", "ada", show)
        await until(lambda: not Rooms.current().tasks)
        presence.leave("room", "ada")
        await until(lambda: not Rooms.current().tasks)

    assert await follower.receives_nothing()
    assert "nobody knows who follows room" in caplog.text
