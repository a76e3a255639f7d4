"""Django's memcached cache, with values as `dovetail.cache.values` stores them.

Set `"BACKEND": "dovetail.cache.memcached.MemcachedCache"` in `CACHES`.
"""

from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import PyMemcacheCache

from dovetail.cache.values import MISSING, decode, encode


class Bytes:
    """Tells pymemcache to store bytes as they are; its own functions unpickle what they find."""

    def serialize(self, _key: str, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, _key: str, value: bytes, _flags: int) -> bytes:
        return value


class MemcachedCache(PyMemcacheCache):
    # Values are encoded here, because the client ignores all errors while it sends them.

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = (params.get("OPTIONS") or {}) | {"serde": Bytes()}
        super().__init__(server, params | {"OPTIONS": options})

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
