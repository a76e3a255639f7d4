"""Django's Redis cache with the two things that it lacks.

One client a server for the whole process: Django makes a client, and under ASGI a connection pool,
for each use. And a cache that is down makes a page slow, never an error: reads miss, writes are
dropped, and a warning is logged.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

logger = logging.getLogger(__name__)

DOWN = (redis.ConnectionError, redis.TimeoutError)


@functools.cache
def _client(url: str, options: tuple[tuple[str, Any], ...]) -> redis.Redis:
    return redis.Redis.from_url(url, **dict(options))


class ValkeyCacheClient(RedisCacheClient):
    def get_client(self, key: Any = None, *, write: bool = False) -> redis.Redis:
        del key, write  # one server for all keys, to read and to write
        url, options = self._servers[0], self._pool_options  # type: ignore[attr-defined]
        return _client(url, tuple(sorted(options.items())))


def _or_else(name: str, fallback: Any) -> Callable[..., Any]:
    """Return the method of that name, answering the fallback when no server does."""
    method = getattr(RedisCache, name)

    @functools.wraps(method)
    def call(self: "ValkeyCache", *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except DOWN as error:
            logger.warning("the cache does not answer (%s): going on without it", error)
            return fallback(*args, **kwargs) if callable(fallback) else fallback

    return call


def _default(_key: str, default: Any = None, _version: int | None = None, **_: Any) -> Any:
    return default


class ValkeyCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ValkeyCacheClient

    get = _or_else("get", _default)
    get_many = _or_else("get_many", lambda *_, **__: {})
    has_key = _or_else("has_key", fallback=False)
    set = _or_else("set", None)
    set_many = _or_else("set_many", lambda *_, **__: [])
    # As if nobody held the key: a lock that cannot be asked for must not stop the work.
    add = _or_else("add", fallback=True)
    touch = _or_else("touch", fallback=False)
    delete = _or_else("delete", fallback=False)
    delete_many = _or_else("delete_many", None)
    clear = _or_else("clear", fallback=False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number.

        Raises:
            ValueError: there is no such key, or no server that could have it.
        """
        try:
            value: int = super().incr(key, delta, version)
        except DOWN as error:
            raise ValueError(f"Key {key!r} not found") from error
        return value

    def ping(self) -> None:
        """Ask the server for a sign of life.

        Raises:
            redis.RedisError: there is none.
        """
        self._cache.get_client().ping()
