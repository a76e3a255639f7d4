"""Tests: the development settings, on services that the test session starts."""

from config import env

env.use_defaults({"VITE_DEV_SERVER": "true"})

from config.settings.dev import *  # noqa: E402

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAIL_TRANSPORT = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
STATICFILES_DIRS = []
WHITENOISE_AUTOREFRESH = False

INSTALLED_APPS += ["tests.dovetail.shelves"]
# Fails a test if a request runs a query in a loop.
INSTALLED_APPS += ["zeal"]
MIDDLEWARE = ["zeal.middleware.zeal_middleware", *MIDDLEWARE]
ZEAL_RAISE = True
# allauth's confirmation page loads the address twice.
ZEAL_ALLOWLIST = [{"model": "account.EmailAddress"}]
