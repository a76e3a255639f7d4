from dovetail.cache.memcached import MemcachedCache
from dovetail.telemetry.caches import CountedLookups


class CountedCache(CountedLookups, MemcachedCache):
    """As `dovetail.cache.memcached.MemcachedCache`, counting hits and misses."""
