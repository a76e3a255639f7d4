"""Tells releases apart, so that none shows parts of pages that another has rendered."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

CODE = {".html", ".py", ".txt"}
# Beginnings of names of settings that no page shows: how a server runs, and what it connects to.
# They may differ between the servers of one site, which should show each other's pages.
UNSEEN = (
    *("ALLOWED_HOSTS", "ANYMAIL", "CACHES", "CELERY_", "CHANNEL_LAYERS", "DATABASE", "DATA_DIR"),
    *("EMAIL_", "HEADLESS_JWT_PRIVATE_KEY", "LOG", "METRICS_", "OTEL_", "PORT", "SECRET_KEY"),
    *("SENTRY_", "SILENCED_", "VALKEY_", "WEB_"),
)
PLAIN = (bool, bytes, float, int, str, timedelta)


@cache
def release() -> str:
    """Return a text that differs if code, templates, scripts, styles or seen settings do."""
    digest = sha256(str(getattr(staticfiles_storage, "manifest_hash", "")).encode())
    for path in sorted(settings.PROJECT_DIR.rglob("*")):
        if path.suffix in CODE:
            digest.update(path.read_bytes())
    for name in sorted(set(dir(settings))):  # twice if a test has changed one
        if name.isupper() and not name.startswith(UNSEEN):
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
