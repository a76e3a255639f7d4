"""Django's Redis cache with two additions.

All threads share one client per server; Django creates one for each use, and under ASGI a
connection pool too. And an unavailable server never causes an error: reads miss, writes are
dropped, and a warning is logged.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

logger = logging.getLogger(__name__)

# A server that answers with an error is of no more use than one that does not: it may be full, a
# replica after a failover, or unable to write to its disk.
DOWN = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)


@functools.cache
def _client(url: str, options: tuple[tuple[str, Any], ...]) -> redis.Redis:
    return redis.Redis.from_url(url, **dict(options))


class ValkeyCacheClient(RedisCacheClient):
    def get_client(self, key: Any = None, *, write: bool = False) -> redis.Redis:
        del key, write  # one server holds all keys and takes all writes
        url, options = self._servers[0], self._pool_options  # type: ignore[attr-defined]
        return _client(url, tuple(sorted(options.items())))


def _with_fallback(name: str, fallback: Any) -> Callable[..., Any]:
    """Return a method of `RedisCache` that returns the fallback if the server is unavailable."""
    method = getattr(RedisCache, name)

    @functools.wraps(method)
    def call(self: "ValkeyCache", *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except DOWN as error:
            logger.warning("The cache is unavailable; continuing without it: %s", error)
            return fallback(*args, **kwargs) if callable(fallback) else fallback

    return call


def _default(_key: str, default: Any = None, _version: int | None = None, **_: Any) -> Any:
    return default


class ValkeyCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # A list, because Django would split a URL at the commas and semicolons of its password.
        super().__init__([server], params)
        self._class = ValkeyCacheClient

    get = _with_fallback("get", _default)
    get_many = _with_fallback("get_many", lambda *_, **__: {})
    has_key = _with_fallback("has_key", fallback=False)
    set = _with_fallback("set", None)
    set_many = _with_fallback("set_many", lambda *_, **__: [])
    # True, as if the key was free: an unavailable lock must not block the work that it guards.
    add = _with_fallback("add", fallback=True)
    touch = _with_fallback("touch", fallback=False)
    delete = _with_fallback("delete", fallback=False)
    delete_many = _with_fallback("delete_many", None)
    clear = _with_fallback("clear", fallback=False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number.

        Raises:
            ValueError: the key does not exist, or the server is unavailable.
        """
        try:
            value: int = super().incr(key, delta, version)
        except DOWN as error:
            raise ValueError(f"Key {key!r} not found") from error
        return value

    def ping(self) -> None:
        """Check that the server answers and can be written to.

        Raises:
            redis.RedisError: it does not, or cannot.
        """
        self._cache.get_client().set(self.make_key("ping"), b"", ex=1)
