import logging
import socket
from http import HTTPStatus
from typing import Any

import pytest
import redis
from django.core.cache import cache, caches
from django.core.cache.backends.memcached import PyMemcacheCache
from django.test import Client, override_settings

from dovetail.cache.valkey import ValkeyCache


@pytest.fixture
def nowhere() -> str:
    """Return a URL where nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{unused.getsockname()[1]}/0"


@pytest.fixture
def cache_that_is_down(nowhere: str) -> ValkeyCache:
    return ValkeyCache(nowhere, {"OPTIONS": {"socket_connect_timeout": 1}})


def test_keeps_values() -> None:
    cache.set("a", {"b": 1})
    cache.set_many({"c": 2, "d": 3})

    assert cache.get("a") == {"b": 1}
    assert cache.get_many(["c", "d"]) == {"c": 2, "d": 3}
    assert cache.incr("c") == 3
    assert not cache.add("c", 0)


def test_one_client_serves_the_whole_process() -> None:
    first: Any = caches.create_connection("default")
    second: Any = caches.create_connection("default")

    assert first is not second
    assert first._cache.get_client() is second._cache.get_client()  # noqa: SLF001


def test_a_cache_that_is_down_reads_as_empty(
    cache_that_is_down: ValkeyCache, caplog: pytest.LogCaptureFixture
) -> None:
    down = cache_that_is_down

    down.set("a", 1)
    assert down.get("a") is None
    assert down.get("a", "fallback") == "fallback"
    assert down.get_many(["a"]) == {}
    assert down.get_or_set("a", lambda: 5) == 5
    assert down.set_many({"a": 1}) == []
    assert down.add("lock", 1)
    assert not down.has_key("a")
    assert not down.delete("a")
    assert not down.touch("a")
    down.delete_many(["a"])
    down.clear()
    with pytest.raises(ValueError, match="not found"):
        down.incr("a")
    assert caplog.records
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_a_cache_that_is_down_reads_as_empty_to_async_code_too(
    cache_that_is_down: ValkeyCache,
) -> None:
    await cache_that_is_down.aset("a", 1)

    assert await cache_that_is_down.aget("a", "fallback") == "fallback"


def test_only_a_ping_tells_that_the_cache_is_down(cache_that_is_down: ValkeyCache) -> None:
    with pytest.raises(redis.ConnectionError):
        cache_that_is_down.ping()


@pytest.mark.django_db
def test_pages_work_while_the_cache_is_down(client: Client, nowhere: str) -> None:
    broken = {"default": {"BACKEND": "dovetail.cache.valkey.ValkeyCache", "LOCATION": nowhere}}
    with override_settings(CACHES=broken):
        response = client.post("/accounts/login/", {"login": "a@b.org", "password": "wrong"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


class TestComputed:
    """The cache for computed values; tests/stack meets a memcached that runs."""

    def test_is_the_default_one_without_memcached(self) -> None:
        caches["computed"].set("a", 1)

        assert cache.get("a") == 1

    def test_misses_while_memcached_is_down(self, nowhere: str) -> None:
        location = nowhere.removeprefix("redis://").removesuffix("/0")
        options = {"connect_timeout": 1, "timeout": 1, "ignore_exc": True}
        down = PyMemcacheCache(location, {"OPTIONS": options})

        down.set("a", 1)

        assert down.get("a", "fallback") == "fallback"
        assert down.get_many(["a"]) == {}
        assert down.get_or_set("a", lambda: 5) == 5
        assert not down.delete("a")
