"""A Valkey cache that slows a page down, but never breaks it, when its server is away.

Set `"BACKEND": "dovetail.cache.valkey.ValkeyCache"` in `CACHES`, and use Django's cache as usual:

    cache.get_or_set("exchange-rates", fetch_exchange_rates, timeout=3600)
"""
