from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.parts.names import PROJECT_NAME

VALKEY_URL = env.valkey("VALKEY_URL")
CACHES = {
    "default": {
        "BACKEND": "dovetail.cache.valkey.ValkeyCache",
        "LOCATION": VALKEY_URL,
        "KEY_PREFIX": PROJECT_NAME,
        # In seconds, so that a hanging cache does not hang the page.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    },
}
# For computed values: memcached if it is set, because it is several times faster.
_memcached = env.memcached("MEMCACHED_URL")
CACHES["computed"] = CACHES["default"]
if _memcached and not find_spec("pymemcache"):
    raise ImproperlyConfigured(
        "MEMCACHED_URL is set, but the client for memcached is not installed: install the extra "
        "with `uv sync --extra memcached`, or unset MEMCACHED_URL."
    )
if _memcached:
    CACHES["computed"] = {
        "BACKEND": "dovetail.cache.memcached.MemcachedCache",
        "LOCATION": _memcached,
        "KEY_PREFIX": PROJECT_NAME,
        # In seconds. As with Valkey, reads miss while it is unavailable; it is retried after five.
        "OPTIONS": {
            "connect_timeout": 1,
            "timeout": 1,
            "no_delay": True,
            "ignore_exc": True,
            "dead_timeout": 5,
        },
    }
# For `{% cache %}`.
CACHES["template_fragments"] = CACHES["computed"]
