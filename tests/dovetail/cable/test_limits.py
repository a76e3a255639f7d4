"""Limits on sockets per worker, session and address, and on identifiers."""

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dovetail.cable import asgi, connects
from dovetail.cable.connection import MAX_IDENTIFIER
from tests.dovetail.cable.conftest import Browser, Connect, log_in, turbo_identifier
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


async def is_accepted(session: str | None = None, **headers: str) -> bool:
    browser = Browser(session, **headers)
    accepted = await browser.open()
    if accepted:
        await browser.close()
    return accepted


async def test_sockets_per_worker_are_limited(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS", 2)
    browsers = [await connect() for _ in range(2)]

    assert not await is_accepted()
    await browsers[0].close()
    assert await is_accepted()


async def test_sockets_per_session_are_limited(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS_PER_SESSION", 2)
    user = await sync_to_async(make_user)()
    one, two = [await sync_to_async(log_in)(user) for _ in range(2)]
    browsers = [await connect(one) for _ in range(2)]

    assert not await is_accepted(one)
    assert await is_accepted(two)
    assert await is_accepted()
    await browsers[0].close()
    assert await is_accepted(one)


@pytest.mark.parametrize("proxies", [0, 1])
async def test_anonymous_sockets_per_address_are_limited(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, settings: Any, proxies: int
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS_PER_ADDRESS", 1)
    settings.TRUSTED_PROXY_COUNT = proxies
    await connect(**{"x-forwarded-for": "203.0.113.1"})

    # Without a trusted proxy, the header may be forged and is ignored.
    assert await is_accepted(**{"x-forwarded-for": "203.0.113.2"}) == bool(proxies)
    assert not await is_accepted(**{"x-forwarded-for": "203.0.113.9, 203.0.113.1"})


async def test_addresses_of_an_ipv6_network_share_the_limit(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS_PER_ADDRESS", 1)
    settings.TRUSTED_PROXY_COUNT = 1
    await connect(**{"x-forwarded-for": "2001:db8:0:1::1"})

    assert not await is_accepted(**{"x-forwarded-for": "2001:db8:0:1::2"})
    assert await is_accepted(**{"x-forwarded-for": "2001:db8:0:2::1"})


async def test_connects_of_a_network_are_limited(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Kind: a socket that is opened and closed again, each time with a query for its session."""
    monkeypatch.setattr(connects, "MAX_PER_NETWORK", 2)
    monkeypatch.setattr("dovetail.cable.connects.monotonic", lambda: 6_000_000.0)
    settings.TRUSTED_PROXY_COUNT = 1
    forged = [f"198.51.100.{number}, 2001:db8:9::{number}" for number in range(3)]

    accepted = [await is_accepted(**{"x-forwarded-for": value}) for value in forged]

    assert accepted == [True, True, False]
    assert await is_accepted(**{"x-forwarded-for": "2001:db8:9:1::1"})
    monkeypatch.setattr("dovetail.cable.connects.monotonic", lambda: 6_000_060.0)
    assert await is_accepted(**{"x-forwarded-for": forged[0]})


async def test_long_identifier_is_rejected(connect: Connect) -> None:
    browser = await connect()
    params = json.loads(turbo_identifier("news"))
    short = json.dumps(params | {"more": ""})
    fits = json.dumps(params | {"more": "x" * (MAX_IDENTIFIER - len(short))})
    long = json.dumps(params | {"more": "x" * (MAX_IDENTIFIER - len(short) + 1)})

    assert (await browser.subscribe(fits))["type"] == "confirm_subscription"
    assert (await browser.subscribe(long))["type"] == "reject_subscription"
