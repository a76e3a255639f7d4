"""The kit's caches, counting hits and misses. The settings choose them if metrics are on."""

from collections.abc import Iterable
from typing import Any

from dovetail.cache.valkey import ValkeyCache
from dovetail.telemetry import metrics

_MISSING = object()


class CountedLookups:
    """Counts what is looked up in a cache of Django."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = super().get(key, _MISSING, version)  # type: ignore[misc]
        is_hit = found is not _MISSING
        metrics.lookups(int(is_hit), int(not is_hit))
        return found if is_hit else default

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        wanted = list(keys)
        found: dict[Any, Any] = super().get_many(wanted, version)  # type: ignore[misc]
        metrics.lookups(len(found), len(wanted) - len(found))
        return found


class CountedValkeyCache(CountedLookups, ValkeyCache):
    """As `dovetail.cache.valkey.ValkeyCache`."""
