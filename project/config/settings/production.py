"""Production: secrets, hosts and services have no defaults, and all of them must be set."""

from django.core.exceptions import ImproperlyConfigured

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

SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
