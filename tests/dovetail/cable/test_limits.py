"""How many sockets one may hold, and how much they may say."""

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dovetail.cable import asgi
from dovetail.cable.connection import MAX_IDENTIFIER
from tests.dovetail.cable.conftest import Browser, Connect, log_in, turbo_identifier
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


async def is_let_in(session: str | None = None, **headers: str) -> bool:
    browser = Browser(session, **headers)
    is_in = await browser.open()
    if is_in:
        await browser.close()
    return is_in


async def test_a_worker_holds_only_so_many(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS", 2)
    browsers = [await connect() for _ in range(2)]

    assert not await is_let_in()
    await browsers[0].close()
    assert await is_let_in()


async def test_a_session_holds_only_so_many(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS_OF_SESSION", 2)
    user = await sync_to_async(make_user)()
    one, two = [await sync_to_async(log_in)(user) for _ in range(2)]
    browsers = [await connect(one) for _ in range(2)]

    assert not await is_let_in(one)
    assert await is_let_in(two)
    assert await is_let_in()
    await browsers[0].close()
    assert await is_let_in(one)


@pytest.mark.parametrize("proxies", [0, 1])
async def test_the_visitors_of_an_address_hold_only_so_many(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, settings: Any, proxies: int
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS_OF_ADDRESS", 1)
    settings.TRUSTED_PROXY_COUNT = proxies
    await connect(**{"x-forwarded-for": "203.0.113.1"})

    # Without a proxy of ours anybody can write the header.
    assert await is_let_in(**{"x-forwarded-for": "203.0.113.2"}) == bool(proxies)
    assert not await is_let_in(**{"x-forwarded-for": "203.0.113.9, 203.0.113.1"})


async def test_a_long_identifier_is_rejected(connect: Connect) -> None:
    browser = await connect()
    params = json.loads(turbo_identifier("news"))
    short = json.dumps(params | {"more": ""})
    fits = json.dumps(params | {"more": "x" * (MAX_IDENTIFIER - len(short))})
    long = json.dumps(params | {"more": "x" * (MAX_IDENTIFIER - len(short) + 1)})

    assert (await browser.subscribe(fits))["type"] == "confirm_subscription"
    assert (await browser.subscribe(long))["type"] == "reject_subscription"
