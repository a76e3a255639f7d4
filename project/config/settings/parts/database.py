from config import env

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"  # for third-party tables; ours have a UUIDv7

# Connections a process may hold ready. Under ASGI, where requests share no thread to keep one in,
# config/asgi.py asks for a pool; commands and workers open one connection each.
_pool_size = env.int("DATABASE_POOL_SIZE", 0)
_database = env.database("DATABASE_URL")
_database["CONN_MAX_AGE"] = 0  # seconds; Django refuses more together with a pool
_database["CONN_HEALTH_CHECKS"] = True  # a restarted server costs no error
if _pool_size:
    _database.setdefault("OPTIONS", {})["pool"] = {
        "min_size": min(2, _pool_size),
        "max_size": _pool_size,
        "timeout": 5,  # seconds to wait for a free connection
    }
DATABASES = {"default": _database}
