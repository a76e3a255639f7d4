"""A Valkey cache whose outages make pages slow but never break them.

Set `"BACKEND": "dovetail.cache.valkey.ValkeyCache"` in `CACHES`, and use Django's cache as usual:

    cache.get_or_set("exchange-rates", fetch_exchange_rates, timeout=3600)
"""
