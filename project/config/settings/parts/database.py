from config import env

# For third-party models: BaseModel uses UUIDv7.
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The size of the connection pool of a process. config/asgi.py gives the default, because under ASGI
# requests share no thread to keep a connection in. Commands and Celery workers use no pool.
_pool_size = env.int("DATABASE_POOL_SIZE", 0)
_database = env.database("DATABASE_URL")
_database["CONN_MAX_AGE"] = 0  # seconds; Django requires 0 with a pool
# So that a restart of the server causes no errors; the pool checks its connections itself.
_database["CONN_HEALTH_CHECKS"] = not _pool_size
if _pool_size:
    _database.setdefault("OPTIONS", {})["pool"] = {
        "min_size": min(2, _pool_size),
        "max_size": _pool_size,
        "timeout": 5,  # seconds to wait for a free connection
    }
DATABASES = {"default": _database}
