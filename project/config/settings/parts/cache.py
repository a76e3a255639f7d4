from urllib.parse import urlsplit

from config import env
from config.settings.parts.names import PROJECT_NAME

VALKEY_URL = env.url("VALKEY_URL", "redis", "rediss", "valkey", "valkeys")
CACHES = {
    "default": {
        "BACKEND": "dovetail.cache.valkey.ValkeyCache",
        "LOCATION": VALKEY_URL.replace("valkey", "redis", 1),  # redis-py rejects valkey://
        "KEY_PREFIX": PROJECT_NAME,
        # In seconds, so that a hanging cache does not hang the page.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    },
}
# For computed values: memcached if it is set, because it is several times faster.
_memcached = env.url("MEMCACHED_URL", "memcached", default="")
CACHES["computed"] = CACHES["default"]
if _memcached:
    CACHES["computed"] = {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": urlsplit(_memcached).netloc,
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
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
