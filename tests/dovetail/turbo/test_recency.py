"""What happens between the rendering of a page and its subscription is not lost."""

import json
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.template import Context, Template
from django.test import RequestFactory

from dovetail.cable.broadcasting import broadcast
from dovetail.cable.streams import sign
from dovetail.cable_channels import TurboStreamsChannel
from dovetail.turbo import recency
from dovetail.turbo.broadcasting import (
    broadcast_action_to,
    broadcast_later_to,
    broadcast_refresh_to,
)
from dovetail.turbo.request import TurboRequest
from tests.dovetail.cable.conftest import Connect, _fresh_layer, connect

__all__ = ["_fresh_layer", "connect"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)

REFRESH = '<turbo-stream action="refresh"></turbo-stream>'
ARTICLE = "articles/_readers.html"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list with the time in milliseconds, which tests change."""
    time = [1_700_000_000_000]
    monkeypatch.setattr(recency, "now_in_milliseconds", lambda: time[0])
    return time


def identifier(stream: str, rendered_at: object) -> str:
    channel = "TurboStreamsChannel"
    params = {"signed_stream_name": sign(channel, stream, None), "rendered_at": rendered_at}
    return json.dumps({"channel": channel, **params})


BROADCASTS = {
    "refresh": lambda: broadcast_refresh_to("news"),
    "action": lambda: broadcast_action_to("news", action="remove", target="x"),
    "later": lambda: broadcast_later_to(
        "news", action="update", target="x", template=ARTICLE, context={"count": 1}
    ),
}


@pytest.mark.parametrize("kind", BROADCASTS)
async def test_page_that_missed_a_broadcast_refreshes(
    connect: Connect, clock: list[int], kind: str
) -> None:
    rendered_at = str(clock[0])
    clock[0] += 1
    await sync_to_async(BROADCASTS[kind])()
    clock[0] += 5000

    browser = await connect()
    await browser.subscribe(identifier("news", rendered_at))

    assert (await browser.receive())["message"] == REFRESH
    assert await browser.receives_nothing()


async def test_page_that_is_newer_than_the_last_broadcast_does_not(
    connect: Connect, clock: list[int]
) -> None:
    await sync_to_async(broadcast_refresh_to)("news")
    await sync_to_async(broadcast_refresh_to)("others")
    clock[0] += 1
    rendered_at = str(clock[0])
    await sync_to_async(broadcast_refresh_to)("others")

    browser = await connect()
    await browser.subscribe(identifier("news", rendered_at))

    assert await browser.receives_nothing()


async def test_page_from_long_ago_refreshes(connect: Connect, clock: list[int]) -> None:
    rendered_at = str(clock[0])
    clock[0] += recency.KEPT * 1000 + 1

    browser = await connect()
    await browser.subscribe(identifier("news", rendered_at))

    assert (await browser.receive())["message"] == REFRESH


async def test_rolled_back_broadcast_was_none(connect: Connect, clock: list[int]) -> None:
    def publish() -> None:
        with transaction.atomic():
            broadcast_refresh_to("news")
            transaction.set_rollback(True)

    await sync_to_async(publish)()
    browser = await connect()
    await browser.subscribe(identifier("news", str(clock[0])))

    assert await browser.receives_nothing()


@pytest.mark.parametrize(
    "odd", [None, "", 1, 0, "now", "-1", "1e9", "٣" * 3, "9" * 400, [], {}, True, "1.5", " 1"]
)
def test_odd_times_are_ignored(odd: Any) -> None:
    broadcast_refresh_to("news")

    assert not recency.may_have_missed("news", odd)


async def test_what_is_broadcast_while_subscribing_is_made_up_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_allowed(self: TurboStreamsChannel) -> bool:
        # The stream is followed already, but not yet confirmed.
        self.connection.hub.deliver_here("news", '"lost"')  # type: ignore[attr-defined]
        return True

    monkeypatch.setattr(TurboStreamsChannel, "is_allowed", is_allowed)
    browser = await connect()
    await browser.subscribe(identifier("news", None))

    assert (await browser.receive())["message"] == REFRESH
    await sync_to_async(broadcast)("news", message="next")
    assert (await browser.receive())["message"] == "next"


def test_tag_gives_the_time_at_which_the_request_began() -> None:
    request: Any = RequestFactory().get("/")
    request.turbo = TurboRequest(request)
    request.turbo.began_at = 1_600_000_000.1234
    html = Template('{% load turbo %}{% turbo_stream_from "news" %}').render(
        Context({"request": request})
    )

    assert re.search(r' rendered-at="(\d+)"', html)[1] == "1600000000123"  # type: ignore[index]


def test_tag_without_a_request_gives_the_present(clock: list[int]) -> None:
    html = Template('{% load turbo %}{% turbo_stream_from "news" %}').render(Context())

    assert f' rendered-at="{clock[0]}"' in html
