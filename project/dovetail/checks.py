"""System checks for `check --deploy`: what breaks in production although every setting is valid.

Those that ask services for more than their migrations are in `dovetail.service_checks`.

| Id | What it reports |
|---|---|
| `dovetail.E101` | static files are missing, so every page would fail |
| `dovetail.W101` | requests over plain HTTP, as from a proxy, would be redirected forever |
| `dovetail.W102` | uploads are kept in the folder of the application, which a deployment replaces |
| `dovetail.W104` | migrations are to be applied |
| `dovetail.W105` | static files have been added since they were collected |
| `dovetail.W106` | browsers would refuse to show uploads, which are on another host |
| `dovetail.W107` | a cache runs code that others may have written to it |
| `dovetail.W108` | a provider's reports of bounces are not taken (`dovetail.mail.webhook`) |
| `dovetail.W123` | pages would wait for one another's database connections |
"""

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.cache.backends.redis import RedisCache
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import Error as DatabaseError

from dovetail.database.capacity import probe
from dovetail.http.collected import COLLECT, missing_files, uncollected_files
from dovetail.http.migrations import due_migrations

Messages = list[checks.CheckMessage]
UNPICKLING = (RedisCache, BaseMemcachedCache, BaseDatabaseCache, FileBasedCache)
# By name, since the module of MemcachedCache needs pymemcache, which is optional.
SIGNING = ("dovetail.cache.valkey.ValkeyCache", "dovetail.cache.memcached.MemcachedCache")


def register() -> None:
    """Register the checks; `DovetailConfig.ready` does."""
    for check in (
        check_static_files,
        check_proxies,
        check_uploads,
        check_migrations,
        check_caches,
        check_pool,
    ):
        checks.register(check, deploy=True)


def check_static_files(**_: Any) -> Messages:
    if missing := missing_files():
        problem, remedy = missing
        return [checks.Error(problem, hint=remedy, id="dovetail.E101")]
    if added := uncollected_files():
        return [
            checks.Warning(
                f"{len(added)} static files are not collected, such as {added[0]}.",
                hint=COLLECT,
                id="dovetail.W105",
            )
        ]
    return []


def check_proxies(**_: Any) -> Messages:
    if not settings.SECURE_SSL_REDIRECT or settings.SECURE_PROXY_SSL_HEADER:
        return []
    return [
        checks.Warning(
            "TRUSTED_PROXY_COUNT is 0, so all requests over plain HTTP are redirected to "
            "https://. Behind a proxy that terminates TLS, this repeats forever.",
            hint=(
                "Set TRUSTED_PROXY_COUNT to the number of proxies in front of the application, or "
                "GRANIAN_SSL_CERTIFICATE if it has none and terminates TLS itself."
            ),
            id="dovetail.W101",
        )
    ]


def check_uploads(**_: Any) -> Messages:
    if not isinstance(default_storage, FileSystemStorage):
        return _check_host_of_uploads()
    folder = Path(os.path.realpath(default_storage.location))
    if folder.is_relative_to(os.path.realpath(settings.BASE_DIR)):
        return [
            checks.Warning(
                f"Uploads are stored in {folder}, inside the application's own folder, and are "
                "lost when that is replaced, as containers are.",
                hint="Set DATA_DIR to a folder on a volume, or store uploads in S3.",
                id="dovetail.W102",
            )
        ]
    return []


def _check_host_of_uploads() -> Messages:
    try:
        url = urlsplit(default_storage.url("example.png"))
    except Exception:  # noqa: BLE001 - it may need credentials that are not here
        return []
    origin = f"{url.scheme}://{url.netloc}"
    sources = getattr(settings, "SECURE_CSP", {}).get("img-src", ["*"])
    if not url.netloc or any(
        fnmatch(name, source) for source in sources for name in (origin, url.netloc)
    ):
        return []
    return [
        checks.Warning(
            f"Uploads are at {origin}, from where the site's own policy lets browsers load no "
            "images.",
            hint=f'Add it to the settings: SECURE_CSP["img-src"].append("{origin}").',
            id="dovetail.W106",
        )
    ]


def check_migrations(**_: Any) -> Messages:
    """Report migrations to apply. `dovetail.service_checks` says if the database is unavailable."""
    try:
        with probe() as connection:
            due = due_migrations(connection)
    except DatabaseError:
        return []
    if not due:
        return []
    return [
        checks.Warning(
            f"{len(due)} migrations are not applied, the first of them {due[0]}. Pages that need "
            "them fail, and /readyz answers 503.",
            hint="Run `python manage.py migrate`.",
            id="dovetail.W104",
        )
    ]


def check_caches(**_: Any) -> Messages:
    return [
        checks.Warning(
            f"The cache {alias!r} unpickles what it reads, so whoever can write to its store runs "
            "code in this site.",
            hint=(f"Set CACHES[{alias!r}]['BACKEND'] to {' or '.join(SIGNING)}."),
            id="dovetail.W107",
        )
        for alias in settings.CACHES
        if isinstance(caches[alias], UNPICKLING) and not _signs(type(caches[alias]))
    ]


def _signs(backend: type) -> bool:
    return any(f"{one.__module__}.{one.__qualname__}" in SIGNING for one in backend.__mro__)


def check_pool(**_: Any) -> Messages:
    # Without the setting, commands have no pool, and web processes have one that is large enough.
    pool = settings.DATABASES["default"].get("OPTIONS", {}).get("pool")
    size = pool.get("max_size") if isinstance(pool, dict) else None
    if size is None or size >= settings.WEB_THREADS:
        return []
    return [
        checks.Warning(
            f"A web process runs {settings.WEB_THREADS} pages at once (WEB_THREADS), but its pool "
            f"has {size} database connections (DATABASE_POOL_SIZE). The others wait, and fail "
            "after some seconds.",
            hint="Unset DATABASE_POOL_SIZE, which makes it large enough, or lower WEB_THREADS.",
            id="dovetail.W123",
        )
    ]
