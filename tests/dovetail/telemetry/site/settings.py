"""The production settings, with views and tasks that are full of secrets."""

import os
from pathlib import Path

from config.settings import production
from config.settings.production import *  # noqa: F403 - as the settings modules themselves do

FOLDER = Path(os.environ["SITE_FOLDER"])  # with manifests of a front end that has no files
STATIC_ROOT = FOLDER
DJANGO_VITE = {
    "default": production.DJANGO_VITE["default"] | {"manifest_path": FOLDER / "vite.json"}
}
ROOT_URLCONF = "tests.dovetail.telemetry.site.urls"
INSTALLED_APPS = [*production.INSTALLED_APPS, "tests.dovetail.telemetry.site"]
