"""Production: secrets, hosts and services have no defaults, and all of them must be set."""

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.base import *

if DEBUG:
    raise ImproperlyConfigured("DEBUG must be off in production: unset it.")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the host names that you serve, not '*'.")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5 or SECRET_KEY.startswith("django-insecure-"):  # noqa: PLR2004
    raise ImproperlyConfigured(
        "SECRET_KEY is too weak: use at least 50 random characters, such as the output of "
        "`python -c 'import secrets; print(secrets.token_urlsafe(50))'`."
    )
if not SITE_URL.startswith("https://"):
    raise ImproperlyConfigured("SITE_URL must start with https:// in production.")

READINESS_NEEDS_MIGRATIONS = True  # in development, `up` says which ones are to be applied
SECURE_SSL_REDIRECT = True
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
elif env.is_set("GRANIAN_SSL_CERTIFICATE"):
    SILENCED_SYSTEM_CHECKS += ["dovetail.W101"]  # the server itself terminates TLS
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
