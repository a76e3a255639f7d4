"""The web server, `manage.py serve`."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.url_parts import MAX_PORT

DAY = 24 * 3600  # seconds

PORT = env.int("PORT", 8000, least=1, most=MAX_PORT)
# Processes; 0 for as many as the machine or the container has processors for.
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 0, most=512)
# Connections that a process accepts, sockets and those that wait for their next request included.
WEB_CONNECTIONS = env.int("WEB_CONNECTIONS", 1024, least=1)
# Seconds: for /readyz to say that the server will stop, and then for requests to end. The system
# cannot wait for a process for more than 24 days.
WEB_DRAIN_SECONDS = env.int("WEB_DRAIN_SECONDS", 3, most=DAY)
WEB_STOP_SECONDS = env.int("WEB_STOP_SECONDS", 20, least=1, most=DAY)
# When a process is replaced: after how many seconds, and beyond how many MiB; 0 for never. None for
# what fits the container.
WEB_WORKER_LIFETIME = env.int("WEB_WORKER_LIFETIME", DAY)
WEB_WORKER_MEMORY = env.int("WEB_WORKER_MEMORY", 0) if env.str("WEB_WORKER_MEMORY", "") else None
WEB_HEADER_TIMEOUT = 20  # seconds in which the headers of a request must arrive
if 0 < WEB_WORKER_LIFETIME < 60:  # noqa: PLR2004
    raise ImproperlyConfigured("WEB_WORKER_LIFETIME must be at least 60 seconds, or 0 for never.")

# If the server itself terminates TLS.
WEB_TLS_CERTIFICATE = WEB_TLS_KEY = None
if _certificate := env.str("GRANIAN_SSL_CERTIFICATE", ""):
    WEB_TLS_CERTIFICATE = Path(_certificate)
if _key := env.str("GRANIAN_SSL_KEYFILE", ""):
    WEB_TLS_KEY = Path(_key)
