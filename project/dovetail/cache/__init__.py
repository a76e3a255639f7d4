"""A Valkey cache whose outages make pages slow but never break them, and values computed for it.

Set `"BACKEND": "dovetail.cache.valkey.ValkeyCache"` in `CACHES`. Then use Django's cache as usual,
or `cached`, which computes a value once at a time and drops it when rows change:

    cached("exchange-rates", fetch_exchange_rates, ttl=3600)
"""
