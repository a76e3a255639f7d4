"""Development: everything has a working default, so nothing has to be set."""

import json
from pathlib import Path

from config.settings import env

env.use_defaults(
    {
        "DEBUG": "true",
        "SECRET_KEY": "django-insecure-development-only",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "SITE_URL": "http://localhost:8000",
        "DATABASE_URL": "postgres://dovetail@127.0.0.1:8002/dovetail",
        "VALKEY_URL": "redis://127.0.0.1:8003/0",
        "CELERY_BROKER_URL": "redis://127.0.0.1:8003/1",
        "EMAIL_URL": "mailbox",
        "DEFAULT_FROM_EMAIL": "Dovetail <hello@localhost>",
        "VITE_DEV_SERVER": "true",
    }
)
# A running `manage.py up` says where its services are.
_up = Path(env.text("DATA_DIR", str(env.BASE_DIR / ".data"))) / "up.json"
if _up.is_file():
    env.use_defaults(json.loads(_up.read_text(encoding="utf-8"))["environment"])

from config.settings.base import *  # noqa: E402

INSTALLED_APPS += ["apps.devtools"]
MAIL_DIR = DATA_DIR / "mail"
INTERNAL_IPS = ["127.0.0.1", "::1"]

# Django caches templates outside runserver: an edited one would show only after a restart.
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = None  # nothing is collected: files are served from where they are
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
if VITE_DEV_SERVER:
    for _directive in ("connect-src", "font-src", "img-src", "script-src", "style-src"):
        SECURE_CSP[_directive] = [*SECURE_CSP[_directive], VITE_ORIGIN]
    SECURE_CSP["connect-src"] += [VITE_ORIGIN.replace("http", "ws", 1)]
