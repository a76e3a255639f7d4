"""Tells whether the static files that pages refer to have been built and collected.

Without them every page fails, so the web server does not start, and `check --deploy` says why.
"""

import json
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured

COLLECT = "Run `python manage.py collectstatic --noinput` in project/."
BUILD = "Run `npm ci && npm run build` in frontend/, then collect the static files."


def missing_files() -> tuple[str, str] | None:
    """Return two sentences, the problem and its remedy; None if pages find all their files.

    The names come from two manifests: that of `collectstatic`, and Vite's. Storages without a
    manifest, as in development, need neither.
    """
    try:
        storage = _storage()
    except ValueError:  # it reads its manifest when it is created
        return f"The manifest in {settings.STATIC_ROOT} is not what collectstatic writes.", COLLECT
    if storage is None:
        return None
    if (built := _built_files()) is None:
        return f"The front end is not built: {_vite_manifest()} cannot be read.", BUILD
    collected = storage.load_manifest()[0]
    if not collected:
        where = Path(settings.STATIC_ROOT or "STATIC_ROOT") / storage.manifest_name
        return f"The static files are not collected: {where} is missing or empty.", COLLECT
    if stale := sorted(built - collected.keys()):
        return f"The static files are out of date: {stale[0]} is built but not collected.", COLLECT
    return None


def uncollected_files() -> list[str]:
    """Return what `collectstatic` would add, by name. Lists all folders of static files."""
    if (storage := _storage()) is None:
        return []
    ignored: Any = apps.get_app_config("staticfiles")
    found = set()
    for finder in finders.get_finders():
        for name, source in finder.list(ignored.ignore_patterns):
            found.add("/".join(filter(None, [getattr(source, "prefix", None), name])))
    return sorted(found - storage.load_manifest()[0].keys())


def require_files() -> None:
    """Refuse to start without the static files.

    Raises:
        ImproperlyConfigured: the front end is not built, or its files are not collected.
    """
    if missing := missing_files():
        raise ImproperlyConfigured(" ".join(missing))


def _storage() -> Any:
    """Return the storage of static files if it needs a manifest, otherwise None."""
    storage: Any = staticfiles_storage
    strict = isinstance(storage, ManifestFilesMixin) and storage.manifest_strict
    return storage if strict else None


def _vite_manifest() -> Path | None:
    """Return the path of Vite's manifest, None if its development server is in use."""
    config = getattr(settings, "DJANGO_VITE", {}).get("default", {})
    path = config.get("manifest_path")
    return None if config.get("dev_mode") or not path else Path(path)


def _built_files() -> set[str] | None:
    """Return the files that Vite has built, None if they are to be built first."""
    if (manifest := _vite_manifest()) is None:
        return set()
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        return {str(entry["file"]) for entry in entries.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
