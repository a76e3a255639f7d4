"""Django's Redis cache with three additions.

All threads share one client per server; Django creates one for each use, and under ASGI a
connection pool too. An unavailable server never causes an error: reads miss, writes are dropped,
and each process logs a warning once a minute. One that does not answer in time is not asked again
for a moment, or a page would wait as often as it asks. And values are stored as
`dovetail.cache.values` says, not as pickles.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from dovetail.cache import outages
from dovetail.cache.values import MISSING, decode, encode

# A server that answers with an error is of no more use than one that does not: it may be full, a
# replica after a failover, or unable to write to its disk.
DOWN = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)

NO_NUMBER = ("value is not an integer", "increment or decrement would overflow")

WAIT = 1  # seconds for one of a process's 50 connections; without it, the 51st thread would miss


@functools.cache
def _client(url: str, options: tuple[tuple[str, Any], ...]) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(url, timeout=WAIT, **dict(options))
    return redis.Redis.from_pool(pool)


class Bytes:
    """Tells Django's client to store bytes as they are."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes) -> bytes:
        return value


class ValkeyCacheClient(RedisCacheClient):
    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options | {"serializer": Bytes})

    def get_client(self, key: Any = None, *, write: bool = False) -> redis.Redis:
        del key, write  # one server holds all keys and takes all writes
        url, options = self._servers[0], self._pool_options  # type: ignore[attr-defined]
        return _client(url, tuple(sorted(options.items())))

    def get(self, key: Any, default: Any) -> Any:
        stored = super().get(key, None)
        if stored is None:
            return default
        value = decode(key, stored)
        if value is MISSING:
            self.delete(key)  # or `add` would find it there
            return default
        return value

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        stored = super().get_many(list(keys))
        found = {key: decode(str(key), data) for key, data in stored.items()}
        if unreadable := [key for key, value in found.items() if value is MISSING]:
            self.delete_many(unreadable)
        return {key: value for key, value in found.items() if value is not MISSING}

    def has_key(self, key: Any) -> bool:
        return self.get(key, MISSING) is not MISSING

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        super().set(key, encode(key, value), timeout)

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        super().set_many({key: encode(key, value) for key, value in data.items()}, timeout)

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return super().add(key, encode(key, value), timeout)


def _with_fallback(name: str, fallback: Any, *, pauses: bool = True) -> Callable[..., Any]:
    """Return a method of `RedisCache` that returns the fallback if the server is unavailable.

    Args:
        name: the method.
        fallback: a value, or a function of the same arguments.
        pauses: whether it may be left out for a moment after another call has timed out.
    """
    method = getattr(RedisCache, name)

    @functools.wraps(method)
    def call(self: "ValkeyCache", *args: Any, **kwargs: Any) -> Any:
        if not (pauses and self.is_paused()):
            try:
                return method(self, *args, **kwargs)
            except DOWN as error:
                self.note(error)
        return fallback(*args, **kwargs) if callable(fallback) else fallback

    return call


def _default(_key: str, default: Any = None, _version: int | None = None, **_: Any) -> Any:
    return default


class ValkeyCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # A list, because Django would split a URL at the commas and semicolons of its password.
        super().__init__([server], params)
        self._class = ValkeyCacheClient
        self._url = server

    def is_paused(self) -> bool:
        """Return whether the server has just let a call of this process time out."""
        return outages.is_paused(self._url)

    def note(self, error: redis.RedisError) -> None:
        """Log that the server is unavailable, and leave it alone if it did not answer."""
        outages.report(self._url, error)
        if isinstance(error, redis.TimeoutError):
            outages.pause(self._url)

    get = _with_fallback("get", _default)
    get_many = _with_fallback("get_many", lambda *_, **__: {})
    has_key = _with_fallback("has_key", fallback=False)
    set = _with_fallback("set", None)
    # Not left out: it invalidates tags, which others may still read.
    set_many = _with_fallback("set_many", lambda *_, **__: [], pauses=False)
    # True, as if the key was free: an unavailable lock must not block the work that it guards.
    add = _with_fallback("add", fallback=True)
    touch = _with_fallback("touch", fallback=False)
    delete = _with_fallback("delete", fallback=False)
    delete_many = _with_fallback("delete_many", None)
    clear = _with_fallback("clear", fallback=False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number.

        Raises:
            ValueError: the key does not exist, its value is no number or would become too large,
                or the server is unavailable.
        """
        if not self.is_paused():
            try:
                return super().incr(key, delta, version)
            except DOWN as error:
                if str(error).startswith(NO_NUMBER):  # the server is well
                    raise ValueError(f"Cannot add {delta} to {key!r}: {error}") from error
                self.note(error)
        raise ValueError(f"Key {key!r} not found")

    def run_script(self, script: str, keys: Sequence[str], *arguments: int) -> Any:
        """Run a Lua script on the server, where nothing interrupts it, and return its result.

        It asks the server also after another call has timed out: limits are counted this way.

        Raises:
            redis.RedisError: the server is unavailable.
        """
        names = [self.make_key(key) for key in keys]
        return self._cache.get_client().eval(script, len(names), *names, *arguments)

    def ping(self) -> None:
        """Check that the server answers and can be written to.

        Raises:
            redis.RedisError: it does not, or cannot.
        """
        self._cache.get_client().set(self.make_key("ping"), b"", ex=1)
