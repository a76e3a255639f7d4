from config.settings import env

VALKEY_URL = env.url("VALKEY_URL", "redis", "rediss", "valkey", "valkeys")
CACHES = {
    "default": {
        "BACKEND": "apps.core.cache.ValkeyCache",
        "LOCATION": VALKEY_URL.replace("valkey", "redis", 1),  # redis-py knows only its own scheme
        "KEY_PREFIX": "dovetail",
        # Seconds. A cache that hangs must not hang the page.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    },
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
