"""Counting the people who follow a stream, across windows and processes."""

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


async def receive_until(follower: Browser, text: str) -> None:
    """Wait for a message; counts published in quick succession are merged."""
    while (await follower.receive())["message"] != text:
        pass


async def test_person_with_two_windows_counts_once(follower: Browser) -> None:
    presence.enter("room", "ada", show)
    presence.enter("room", "ada", show)  # a second window
    presence.enter("room", "bob", show)
    await receive_until(follower, "2 here")

    presence.leave("room", "ada")
    presence.leave("room", "bob")
    await receive_until(follower, "1 here")

    presence.leave("room", "ada")
    await receive_until(follower, "0 here")
    await until(lambda: not Rooms.current().rooms)


async def test_person_still_present_in_another_process_is_counted(follower: Browser) -> None:
    here, there = Rooms.current(), Rooms()
    presence.enter("room", "ada", show)
    presence.enter("room", "bob", show)
    await receive_until(follower, "2 here")
    with patch.object(Rooms, "current", return_value=there):
        presence.enter("room", "ada", show)
    assert (await follower.receive())["message"] == "2 here"

    presence.leave("room", "ada")
    presence.leave("room", "bob")
    await receive_until(follower, "1 here")

    with patch.object(Rooms, "current", return_value=there):
        presence.leave("room", "ada")
    await receive_until(follower, "0 here")
    await until(lambda: not here.tasks | there.tasks)


@pytest.mark.parametrize(
    "rooms", [1, 30, pytest.param(300, marks=pytest.mark.long("opens hundreds of rooms"))]
)
async def test_crowd_can_enter_at_once(
    follower: Browser, caplog: pytest.LogCaptureFixture, rooms: int
) -> None:
    names = ["room", *(f"room {number}" for number in range(1, rooms))]

    for number in range(300):
        presence.enter(names[number % rooms], f"person {number}", show)

    await receive_until(follower, f"{300 // rooms} here")
    await until(lambda: not Rooms.current().tasks)
    assert caplog.text == ""
    for number in range(300):
        presence.leave(names[number % rooms], f"person {number}")


async def test_outdated_count_is_corrected(follower: Browser) -> None:
    presence.enter("room", "ada", show)
    await receive_until(follower, "1 here")
    await abroadcast("room", message="7 here")  # another process counted a moment before
    await receive_until(follower, "7 here")

    with patch.object(presence, "REFRESH", 0):
        await presence.refresh(Hub.current())
        await receive_until(follower, "1 here")
        await presence.refresh(Hub.current())
    assert await follower.receives_nothing()
    presence.leave("room", "ada")


async def test_leaving_without_having_entered_does_nothing(follower: Browser) -> None:
    presence.leave("room", "stranger")

    assert await follower.receives_nothing()


async def test_entries_of_a_dead_process_expire(follower: Browser) -> None:
    presence.enter("room", "of a dead process", show)
    await until(lambda: not Rooms.current().tasks)
    Rooms.current().rooms.clear()
    presence.enter("room", "ada", show)
    await receive_until(follower, "2 here")

    later = time.time() + presence.LIFETIME + 1
    with patch.object(presence, "REFRESH", 0), patch("time.time", lambda: later):
        await presence.refresh(Hub.current())
        await receive_until(follower, "1 here")
    presence.leave("room", "ada")


async def test_unavailable_server_is_logged_and_breaks_nothing(
    follower: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(Rooms.current(), "server", presence.server_at("redis://127.0.0.1:1")):
        presence.enter("room", "ada", show)
        await until(lambda: not Rooms.current().tasks)
        presence.leave("room", "ada")
        await until(lambda: not Rooms.current().tasks)

    assert await follower.receives_nothing()
    assert "Could not update presence for room" in caplog.text


async def test_failed_render_does_not_stop_later_updates(
    follower: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails once must not leave a state in which nothing is tried any more."""
    failures = [ZeroDivisionError("no such template"), ValueError("twice")]

    def show_or_fail(count: int) -> str:
        if failures:
            raise failures.pop()
        return show(count)

    presence.enter("room", "ada", show_or_fail)
    await until(lambda: not Rooms.current().tasks)
    assert "Could not show presence for room" in caplog.text
    presence.enter("room", "bob", show_or_fail)
    await until(lambda: not Rooms.current().tasks)
    assert not failures

    presence.enter("room", "cleo", show_or_fail)
    await receive_until(follower, "3 here")

    for person in ("ada", "bob", "cleo"):
        presence.leave("room", person)
    await receive_until(follower, "0 here")
    assert "room" not in Rooms.current().rooms


async def test_failed_render_is_repaired_by_the_next_refresh(follower: Browser) -> None:
    failures = [ZeroDivisionError()]

    def show_or_fail(count: int) -> str:
        if failures:
            raise failures.pop()
        return show(count)

    presence.enter("room", "ada", show_or_fail)
    await until(lambda: not Rooms.current().tasks)

    with patch.object(presence, "REFRESH", 0):
        await presence.refresh(Hub.current())

    await receive_until(follower, "1 here")
    presence.leave("room", "ada")


async def test_bad_room_does_not_starve_the_others(follower: Browser) -> None:
    def fail(_count: int) -> str:
        raise ZeroDivisionError

    presence.enter("bad room", "ada", fail)  # comes first at each refresh
    presence.enter("room", "ada", show)
    await receive_until(follower, "1 here")
    await until(lambda: not Rooms.current().tasks)

    with patch.object(presence, "REFRESH", 0):
        await presence.refresh(Hub.current())

    await receive_until(follower, "1 here")
    presence.leave("bad room", "ada")
    presence.leave("room", "ada")
