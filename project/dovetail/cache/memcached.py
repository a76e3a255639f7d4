"""Django's memcached cache with two additions.

Values are stored as `dovetail.cache.values` says, not as pickles. And while a server is
unavailable, each process logs a warning once a minute. With `"ignore_exc": True` in its options,
reads then miss and writes are dropped.

Set `"BACKEND": "dovetail.cache.memcached.MemcachedCache"` in `CACHES`.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import PyMemcacheCache
from pymemcache import Client, HashClient
from pymemcache.exceptions import MemcacheUnexpectedCloseError

from dovetail.cache import outages
from dovetail.cache.values import MISSING, decode, encode


class Bytes:
    """Tells pymemcache to store bytes as they are; its own functions unpickle what they find."""

    def serialize(self, _key: str, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, _key: str, value: bytes, _flags: int) -> bytes:
        return value


def _reporting(name: str) -> Callable[..., Any]:
    """Return a method of pymemcache's client that logs if its server is unavailable."""
    method = getattr(Client, name)

    @functools.wraps(method)
    def call(self: Client, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except (OSError, MemcacheUnexpectedCloseError) as error:
            server = self.server if isinstance(self.server, str) else "{}:{}".format(*self.server)
            outages.report(server, f"memcached at {server}: {error}")
            raise

    return call


class ReportingClient(Client):  # type: ignore[misc]  # it has no types
    """The client of one server. The one of all servers handles the error that this one raises."""

    get = _reporting("get")
    get_many = _reporting("get_many")
    set = _reporting("set")
    set_many = _reporting("set_many")
    add = _reporting("add")
    incr = _reporting("incr")
    decr = _reporting("decr")
    touch = _reporting("touch")
    delete = _reporting("delete")
    delete_many = _reporting("delete_many")
    flush_all = _reporting("flush_all")


class ReportingClients(HashClient):  # type: ignore[misc]  # it has no types
    client_class = ReportingClient


class MemcachedCache(PyMemcacheCache):
    # Values are encoded here, because the client ignores all errors while it sends them.

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = (params.get("OPTIONS") or {}) | {"serde": Bytes()}
        super().__init__(server, params | {"OPTIONS": options})
        self._class = ReportingClients

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        stored = super().get(key, None, version)
        if stored is None:
            return default
        value = decode(self.make_key(key, version), stored)
        if value is MISSING:
            self.delete(key, version)  # or `add` would find it there
            return default
        return value

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        stored = super().get_many(keys, version)
        found = {key: decode(self.make_key(key, version), data) for key, data in stored.items()}
        if unreadable := [key for key, value in found.items() if value is MISSING]:
            self.delete_many(unreadable, version)
        return {key: value for key, value in found.items() if value is not MISSING}

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        super().set(key, encode(self.make_key(key, version), value), timeout, version)

    def set_many(
        self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[Any]:
        encoded = {key: encode(self.make_key(key, version), value) for key, value in data.items()}
        failed: list[Any] = super().set_many(encoded, timeout, version)
        return failed

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        encoded = encode(self.make_key(key, version), value)
        return bool(super().add(key, encoded, timeout, version))
