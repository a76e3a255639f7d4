"""The settings of telemetry, and what is wrong with them.

As in `url_parts`, an error is one sentence that contains no part of the value, which may be a key.
"""

import ipaddress
import re
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from config.url_parts import MAX_PORT, with_host

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # of RFC 9110, which names of headers are


def dsn(name: str, value: str) -> str:
    """Return the DSN of a project of Sentry; "" for none."""
    if not value:
        return ""
    example = "https://key@o1.ingest.sentry.io/1234"
    url = with_host(name, value, "https", "http", example=example)
    project = url.tail.rpartition("/")[2]
    if not url.user or url.query or not re.fullmatch(r"[0-9]+", project):
        raise ImproperlyConfigured(
            f"{name} is malformed: it must look like {example}, as Sentry shows it in the settings "
            "of the project under Client Keys."
        )
    return url.text


def endpoint(name: str, value: str) -> str:
    """Return the URL of a collector, without a slash at its end; "" for none."""
    if not value:
        return ""
    example = "http://collector:4318"
    url = with_host(name, value, "http", "https", example=example)
    if url.query or url.has_credentials or url.path.rstrip("/").endswith("/v1/traces"):
        raise ImproperlyConfigured(
            f"{name} must be the base URL of a collector that takes OTLP over HTTP, as in "
            f"{example}: no user, no query and no /v1/traces; keys belong into "
            "OTEL_EXPORTER_OTLP_HEADERS."
        )
    return url.text.rstrip("/")


def headers(name: str, value: str) -> dict[str, str]:
    """Return headers written as OpenTelemetry does: `name=value,name=value`, percent-encoded."""
    found = {}
    for item in filter(None, (part.strip() for part in value.split(","))):
        key, separator, text = item.partition("=")
        text = unquote(text.strip())
        if not (
            separator and TOKEN.fullmatch(key.strip()) and text.isascii() and text.isprintable()
        ):
            raise ImproperlyConfigured(
                f"{name} is malformed: it must look like name=value,name=value, with %20 for a "
                "space and %2C for a comma."
            )
        found[key.strip().lower()] = text
    return found


def share(name: str, value: str) -> float:
    """Return a number from 0 to 1."""
    if not re.fullmatch(r"[0-9](\.[0-9]{1,9})?", value) or float(value) > 1:
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 1, such as 0.1.")
    return float(value)


def address(name: str, value: str) -> str:
    """Return the IP address of this machine to listen on."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all."
        ) from None


def port(name: str, value: int) -> int:
    """Return the number of a port; 0 for none."""
    if value > MAX_PORT:
        raise ImproperlyConfigured(f"{name} must be a port, from 1 to {MAX_PORT}.")
    return value
