"""Tests: the development settings, on services that the test session starts."""

import os
import sys
from functools import cache

import zeal.apps
from django.core.exceptions import ImproperlyConfigured

try:
    from config import env

    env.use_defaults({"VITE_DEV_SERVER": "true"})

    from config.settings.dev import *
except ImproperlyConfigured as error:
    sys.exit(f"error: {error}")  # pytest would show a long traceback

# Let the many processes of the tests compile each module once. Where Python may not write beside
# the sources, as in many containers, each would compile all of Django again.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX") or str(DATA_DIR / "pycache")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

DEBUG = False
HOSTS_ON_ANY_PORT += ["testserver"]
# Without the port, which tests start servers on many of.
SESSION_COOKIE_NAME = "sessionid"
CSRF_COOKIE_NAME = "csrftoken"
LANGUAGE_COOKIE_NAME = "django_language"
MFA_TRUST_COOKIE_NAME = "mfa_trusted"
DEVICE_COOKIE_NAME = "device"
THEME_COOKIE_NAME = "theme"
MESSAGE_COOKIE_NAME = "messages"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAIL_TRANSPORT = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
STATICFILES_DIRS = []
# On the disk, even while an `up --s3` is running here. Tests that need S3 start their own.
STORAGES["default"] = {"BACKEND": "dovetail.media.disk.DiskStorage"}
# Templates are compiled once and fragments are kept, as in production.
TEMPLATES[0]["APP_DIRS"] = True
del TEMPLATES[0]["OPTIONS"]["loaders"]
CACHES["template_fragments"] = CACHES["computed"]

INSTALLED_APPS += ["tests.dovetail.shelves"]
# Fails a test if a request runs a query in a loop.
INSTALLED_APPS += ["zeal"]
# A test that changes INSTALLED_APPS makes it ready again, and then it would count each query twice.
zeal.apps.patch = cache(zeal.apps.patch)
MIDDLEWARE = [
    "zeal.middleware.zeal_middleware",
    *(
        name
        for name in MIDDLEWARE
        if name != "dovetail.devtools.middleware.DueMigrationsMiddleware"
    ),
]
ZEAL_RAISE = True
# allauth's confirmation page loads the address twice.
ZEAL_ALLOWLIST = [{"model": "account.EmailAddress"}]
