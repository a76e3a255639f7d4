"""Tells releases apart, so that none shows parts of pages that another has rendered."""

from functools import cache
from hashlib import sha256

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

CODE = {".html", ".py", ".txt"}


@cache
def release() -> str:
    """Return a text that differs if code, templates, scripts or styles do."""
    digest = sha256(str(getattr(staticfiles_storage, "manifest_hash", "")).encode())
    for path in sorted(settings.PROJECT_DIR.rglob("*")):
        if path.suffix in CODE:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
