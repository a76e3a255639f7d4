import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import cache, caches
from django.test import Client, override_settings

from dovetail.cache import outages
from dovetail.cache.memcached import MemcachedCache
from dovetail.cache.valkey import ValkeyCache
from dovetail.devtools.embedded.testing import free_port
from dovetail.devtools.embedded.valkey import INSTALLED, find_installed
from tests.cable.servers import Valkey
from tests.dovetail.cache.planted import garbage


@pytest.fixture
def unreachable_url() -> str:
    """Return the URL of a port on which no server listens."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def unavailable_cache(unreachable_url: str) -> ValkeyCache:
    return ValkeyCache(unreachable_url, {"OPTIONS": {"socket_connect_timeout": 1}})


def test_values_are_stored() -> None:
    cache.set("a", {"b": 1})
    cache.set_many({"c": 2, "d": 3})

    assert cache.get("a") == {"b": 1}
    assert cache.get_many(["c", "d"]) == {"c": 2, "d": 3}
    assert cache.incr("c") == 3
    assert not cache.add("c", 0)


@pytest.mark.parametrize("value", ["text", 2**63 - 1, [1]])
def test_what_cannot_be_added_to_is_no_outage(
    value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a warning that the cache is unavailable, which hides the next true one."""
    cache.set("a", value)

    with pytest.raises(ValueError, match="'a'"):
        cache.incr("a")
    assert not caplog.records


def test_what_this_site_has_not_stored_is_missing(tmp_path: Path) -> None:
    """Kind: a pickle that runs code, and other data that a stranger or an earlier release left."""
    file = tmp_path / "created"
    backend: Any = caches["default"]
    server, key = backend._cache.get_client(), backend.make_key("key")  # noqa: SLF001

    for data in garbage(file):
        server.set(key, data)
        assert cache.get("key", "fallback") == "fallback", data
        server.set(key, data)
        assert cache.get_many(["key"]) == {}
        server.set(key, data)
        assert not cache.has_key("key")
        server.set(key, data)
        assert cache.get_or_set("key", [1]) == [1]
        assert cache.get("key") == [1]

    assert not file.exists()


async def test_what_this_site_has_not_stored_is_missing_in_async_code(tmp_path: Path) -> None:
    file = tmp_path / "created"
    backend: Any = caches["default"]
    server, key = backend._cache.get_client(), backend.make_key("key")  # noqa: SLF001

    for data in garbage(file):
        server.set(key, data)
        assert await cache.aget("key", "fallback") == "fallback", data

    assert not file.exists()


def test_key_with_another_kind_of_data_is_missing() -> None:
    backend: Any = caches["default"]
    server = backend._cache.get_client()  # noqa: SLF001
    server.rpush(backend.make_key("key"), b"item")

    assert cache.get("key", "fallback") == "fallback"
    cache.set("key", "value")
    assert cache.get("key") == "value"


def test_fragment_copied_to_another_key_is_missing() -> None:
    backend: Any = caches["default"]
    server = backend._cache.get_client()  # noqa: SLF001
    cache.set("mine", "<script>")
    server.set(backend.make_key("theirs"), server.get(backend.make_key("mine")))

    assert cache.get("mine") == "<script>"
    assert cache.get("theirs") is None


def test_all_cache_instances_share_one_client() -> None:
    first: Any = caches.create_connection("default")
    second: Any = caches.create_connection("default")

    assert first is not second
    assert first._cache.get_client() is second._cache.get_client()  # noqa: SLF001


def test_password_may_contain_what_separates_servers() -> None:
    """Kind: a list in a text, and a part of the text that is taken for two."""
    client: Any = ValkeyCache("redis://:a,b;c@valkey:6379/1", {})._cache.get_client()  # noqa: SLF001

    options = client.connection_pool.connection_kwargs
    assert (options["password"], options["host"], options["db"]) == ("a,b;c", "valkey", 1)


@pytest.fixture
def full_cache(tmp_path: Path) -> Iterator[ValkeyCache]:
    """Return a cache in a server that answers, but takes nothing more."""
    if find_installed() is None:
        pytest.skip(f"There is no Valkey on PATH ({' or '.join(INSTALLED)})")
    server = Valkey(tmp_path / "log", {})
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.set(":1:kept", 1)
        client.config_set("maxmemory", 1)
    yield ValkeyCache(server.url, {})
    server.stop()


def test_full_cache_breaks_nothing(
    full_cache: ValkeyCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a server that answers with an error, as it does when full or a replica."""
    full_cache.set("a", 1)

    assert full_cache.get("a") is None
    assert full_cache.get("kept") == 1
    assert full_cache.add("a", 1)
    with pytest.raises(ValueError, match="not found"):
        full_cache.incr("kept")
    assert "continuing without it: command not allowed" in caplog.text
    with pytest.raises(redis.ResponseError):
        full_cache.ping()  # so `/readyz` reports it


def test_unavailable_cache_reads_as_empty(
    unavailable_cache: ValkeyCache, caplog: pytest.LogCaptureFixture
) -> None:
    down = unavailable_cache

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
    (record,) = caplog.records
    assert record.levelno == logging.WARNING


async def test_unavailable_cache_reads_as_empty_in_async_code(
    unavailable_cache: ValkeyCache,
) -> None:
    await unavailable_cache.aset("a", 1)

    assert await unavailable_cache.aget("a", "fallback") == "fallback"


def test_hanging_server_is_asked_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a page that waits a second for each of the twenty times that it asks the cache."""
    monkeypatch.setattr(outages, "_paused", {})
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # as a stopped process does
        hanging.settimeout(0.01)
        url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
        paused = ValkeyCache(url, {"OPTIONS": {"socket_timeout": 0.05}})
        connected: list[socket.socket] = []

        def count_tries() -> int:
            before = len(connected)
            with suppress(TimeoutError):
                while True:
                    connected.append(hanging.accept()[0])
            return len(connected) - before

        assert paused.get("key", "default") == "default"
        assert count_tries() > 0
        assert paused.get_many(["key"]) == {}
        assert paused.add("key", 1)
        assert not paused.delete("key")
        with pytest.raises(ValueError, match="not found"):
            paused.incr("key")
        assert count_tries() == 0
        paused.set_many({"tag": "word"})
        assert count_tries() > 0  # a change is told in any case
        monkeypatch.setattr(outages, "_paused", {})
        assert paused.get("key") is None
        assert count_tries() > 0
        for one in connected:
            one.close()


def test_ping_raises_if_the_cache_is_unavailable(unavailable_cache: ValkeyCache) -> None:
    with pytest.raises(redis.ConnectionError):
        unavailable_cache.ping()


@pytest.mark.django_db
def test_pages_work_while_the_cache_is_unavailable(client: Client, unreachable_url: str) -> None:
    backend = "dovetail.cache.valkey.ValkeyCache"
    unavailable = {"default": {"BACKEND": backend, "LOCATION": unreachable_url}}
    with override_settings(CACHES=unavailable):
        response = client.post("/accounts/login/", {"login": "a@b.org", "password": "wrong"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


class TestComputed:
    """The cache for computed values; tests/stack uses a real memcached."""

    def test_is_the_default_cache_without_memcached(self) -> None:
        caches["computed"].set("a", 1)

        assert cache.get("a") == 1

    def test_misses_while_memcached_is_unavailable(self, unreachable_url: str) -> None:
        location = unreachable_url.removeprefix("redis://").removesuffix("/0")
        options = {"connect_timeout": 1, "timeout": 1, "ignore_exc": True}
        down = MemcachedCache(location, {"OPTIONS": options})

        down.set("a", 1)

        assert down.get("a", "fallback") == "fallback"
        assert down.get_many(["a"]) == {}
        assert down.get_or_set("a", lambda: 5) == 5
        assert not down.delete("a")
