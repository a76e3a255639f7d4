from config import env

# For third-party models: BaseModel uses UUIDv7.
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# In seconds, by the kind of process; dovetail.database.limits sets them. With 0, nothing is sent:
# PgBouncer refuses connections that begin with options.
_longest = (2**31 - 1) // 1000  # what the parameters can be, which are in milliseconds
_web = env.int("DATABASE_WEB_TIMEOUT", 15, most=_longest // 4)
_task = env.int("DATABASE_TASK_TIMEOUT", 240, most=_longest)
_migrate = env.int("DATABASE_MIGRATE_TIMEOUT", 3600, most=_longest)
# More than PostgreSQL's deadlock_timeout of 1 s, after which vacuuming gives way.
_migrate_lock = env.int("DATABASE_MIGRATE_LOCK_TIMEOUT", 3, most=_longest)
DATABASE_LIMITS = {
    "web": {"statement_timeout": _web, "idle_in_transaction_session_timeout": _web * 4},
    "worker": {"statement_timeout": _task, "idle_in_transaction_session_timeout": _task},
    "migrate": {"statement_timeout": _migrate, "lock_timeout": _migrate_lock},
}

# The size of the connection pool of a process. config/asgi.py gives the default, because under ASGI
# requests share no thread to keep a connection in. Commands and Celery workers use no pool.
_pool_size = env.int("DATABASE_POOL_SIZE", 0, most=2**18 - 1)  # of PostgreSQL's max_connections
_database = env.database("DATABASE_URL")
# Without prepared statements, as is Django's default: ParadeDB's operators take no parameters of
# statements, so searches would fail.
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

# Pages are read from here, by dovetail.database.replica, if it is set.
REPLICA_STICKY_SECONDS = env.int("DATABASE_REPLICA_STICKY_SECONDS", 5, least=1)
# Always read from the primary: what says who someone is, and what they may do.
REPLICA_EXCLUDED_APPS = {"account", "auth", "mfa", "sessions", "socialaccount", "users"}
REPLICA_EXCLUDED_APPS |= {"usersessions"}
DATABASE_ROUTERS: list[str] = []
if env.str("DATABASE_REPLICA_URL", ""):
    _replica = env.database("DATABASE_REPLICA_URL")
    _pool = {"pool": dict(_database["OPTIONS"]["pool"])} if _pool_size else {}
    DATABASES["replica"] = {
        **_replica,
        "CONN_MAX_AGE": _database["CONN_MAX_AGE"],
        "CONN_HEALTH_CHECKS": _database["CONN_HEALTH_CHECKS"],
        "OPTIONS": _replica.get("OPTIONS", {}) | _pool,
        "TEST": {"MIRROR": "default"},  # tests read what they have written
    }
    DATABASE_ROUTERS = ["dovetail.database.replica.ReplicaRouter"]
