"""Tells releases apart, so that none shows parts of pages that another has rendered."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

CODE = {".html", ".py", ".txt"}
# Settings that no page shows: how a server runs, and what it connects to. They may differ between
# the servers of one site, which should show each other's pages. Beginnings of names are those of a
# library or a server; the owner of the site may have settings that begin with other words.
UNSEEN = {
    *("ALLOWED_HOSTS", "ANYMAIL", "CACHES", "CHANNEL_LAYERS", "DATABASES", "DATABASE_LIMITS"),
    *("DATABASE_ROUTERS", "DATA_DIR", "EMAIL_ANSWER_TIMEOUT", "EMAIL_BACKEND", "EMAIL_HOST"),
    *("EMAIL_HOST_PASSWORD", "EMAIL_HOST_USER", "EMAIL_PLAINTEXT_HOSTS", "EMAIL_PORT"),
    *("EMAIL_PROVIDER", "EMAIL_SSL_CERTFILE", "EMAIL_SSL_KEYFILE", "EMAIL_TIMEOUT"),
    *("EMAIL_USE_SSL", "EMAIL_USE_TLS", "HEADLESS_JWT_PRIVATE_KEY", "LOGGING", "LOGGING_CONFIG"),
    *("LOG_FORMAT", "PORT", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "SILENCED_SYSTEM_CHECKS"),
    *("WEB_CONCURRENCY", "WEB_CONNECTIONS", "WEB_DRAIN_SECONDS", "WEB_HANDLER"),
    *("WEB_HEADER_TIMEOUT", "WEB_STOP_SECONDS", "WEB_THREADS", "WEB_TLS_CERTIFICATE"),
    *("WEB_TLS_KEY", "WEB_WORKER_LIFETIME", "WEB_WORKER_MEMORY"),
}
UNSEEN_BEGINNINGS = ("CELERY_", "METRICS_", "OTEL_", "SENTRY_", "VALKEY_")
PLAIN = (bool, bytes, date, Decimal, float, int, str, time, timedelta, UUID)


@cache
def release() -> str:
    """Return a text that differs if code, templates, scripts, styles or seen settings do."""
    digest = sha256(str(getattr(staticfiles_storage, "manifest_hash", "")).encode())
    for path in sorted(settings.PROJECT_DIR.rglob("*")):
        if path.suffix in CODE:
            digest.update(path.read_bytes())
    for name in sorted(set(dir(settings))):  # twice if a test has changed one
        if name.isupper() and name not in UNSEEN and not name.startswith(UNSEEN_BEGINNINGS):
            digest.update(f"{name}={_text_of(getattr(settings, name))}\n".encode())
    return digest.hexdigest()[:16]


def _text_of(value: object) -> str:
    """Return a text of a value that is the same in all processes with the same settings.

    Of objects it is their type: what Python shows of them may contain where they are in memory, and
    paths are those of one machine.
    """
    if isinstance(value, Mapping):
        return f"{{{','.join(sorted(f'{key!r}:{_text_of(value[key])}' for key in value))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text_of, value))}]"
    if isinstance(value, set | frozenset):
        return f"<{','.join(sorted(map(_text_of, value)))}>"
    if value is None or isinstance(value, PLAIN):
        return repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"
