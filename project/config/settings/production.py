"""Production: secrets, hosts and services have no defaults, and all of them must be set."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host

from config import env, service_access, service_urls
from config.settings.base import *
from config.url_parts import is_loopback

if DEBUG:
    raise ImproperlyConfigured("DEBUG must be off in production: unset it.")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the host names that you serve, not '*'.")
for host in ALLOWED_HOSTS:
    service_urls.allowed_host("ALLOWED_HOSTS", host)
for _number, _key in enumerate([SECRET_KEY, *SECRET_KEY_FALLBACKS]):
    if len(_key) < 50 or len(set(_key)) < 5 or _key.startswith("django-insecure-"):  # noqa: PLR2004
        # Who guesses a previous key forges sessions and links, too.
        _name = f"Key {_number} of SECRET_KEY_FALLBACKS" if _number else "SECRET_KEY"
        _remedy = "remove it from the list, or " if _number else ""
        raise ImproperlyConfigured(
            f"{_name} is too weak: {_remedy}use at least 50 random characters, such as the output "
            "of `python -c 'import secrets; print(secrets.token_urlsafe(50))'`."
        )
_key = HEADLESS_JWT_PRIVATE_KEY
if _key and (
    len(_key) < 50 or len(set(_key)) < 5 or _key in [SECRET_KEY, *SECRET_KEY_FALLBACKS]  # noqa: PLR2004
):
    raise ImproperlyConfigured(
        "JWT_PRIVATE_KEY is too weak: use at least 50 random characters, others than those of "
        "SECRET_KEY, or unset it if no app signs in by the API."
    )
if not SITE_URL.startswith("https://"):
    raise ImproperlyConfigured("SITE_URL must start with https:// in production.")
if not validate_host(split_domain_port(urlsplit(SITE_URL).netloc)[0], ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS must contain the host of SITE_URL, or the links in mails lead nowhere."
    )
_smtp = {} if EMAIL_PROVIDER else env.email("EMAIL_URL")
if _smtp and not (
    _smtp["EMAIL_USE_TLS"]
    or _smtp["EMAIL_USE_SSL"]
    or is_loopback(_smtp["EMAIL_HOST"])
    or _smtp["EMAIL_HOST"].lower() in EMAIL_PLAINTEXT_HOSTS
):
    raise ImproperlyConfigured(
        "EMAIL_URL would send mail, and the links to reset passwords in it, unencrypted to another "
        "host: use smtp+tls:// or smtp+ssl://, or, if only trusted machines are in between, add "
        "the host to EMAIL_PLAINTEXT_HOSTS."
    )
for _name, _value in ANYMAIL.items():
    if (
        _name.endswith("_API_URL")
        and not _value.startswith("https://")
        and not is_loopback(urlsplit(_value).hostname or "")
    ):
        raise ImproperlyConfigured(
            f"{_name} would send mail, and the links to reset passwords in it, unencrypted to "
            "another host: use https://."
        )
if VITE_DEV_SERVER:
    raise ImproperlyConfigured(
        "VITE_DEV_SERVER must be off in production, which serves the built files: unset it."
    )
if not env.bool("ALLOW_UNAUTHENTICATED_SERVICES"):
    service_access.check_valkey("VALKEY_URL", VALKEY_URL)
    service_access.check_broker("CELERY_BROKER_URL", CELERY_BROKER_URL)
    service_access.check_memcached("MEMCACHED_URL", env.memcached("MEMCACHED_URL"))

if bool(WEB_TLS_CERTIFICATE) != bool(WEB_TLS_KEY):
    raise ImproperlyConfigured(
        "GRANIAN_SSL_CERTIFICATE and GRANIAN_SSL_KEYFILE must be set together: with one of them, "
        "the server would speak plain HTTP."
    )

READINESS_NEEDS_MIGRATIONS = True  # in development, `up` says which ones are to be applied
SECURE_SSL_REDIRECT = True
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
elif WEB_TLS_CERTIFICATE:
    SILENCED_SYSTEM_CHECKS += ["dovetail.W101"]  # the server itself terminates TLS
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
LANGUAGE_COOKIE_SECURE = True
LANGUAGE_COOKIE_NAME = "__Host-language"
THEME_COOKIE_NAME = "__Host-theme"
MESSAGE_COOKIE_NAME = "__Host-messages"
