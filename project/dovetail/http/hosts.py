"""Answers each host under one spelling only, that of the links that the site itself sends.

Own code because `ALLOWED_HOSTS` compares names: Django takes `site.example:1`, `Site.Example` and
`site.example.` for the same host and hands each spelling to everything that reads the host, such as
caches, limits and links.
"""

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port, validate_host

from dovetail.http.middleware import MaybeAwaitable, Middleware
from dovetail.http.refused import error_page

logger = logging.getLogger(__name__)

KNOWN = 64  # spellings that are not examined again
MAX_LENGTH = 253 + len(":65535")  # characters in a name (RFC 1035) and a port
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DEFAULT_PORTS = {"https": 443, "http": 80}


def canonical(host: str) -> str | None:
    """Return the one spelling of a host, None if the site does not answer to it.

    It is a name or an address that `ALLOWED_HOSTS` contains, in lowercase, with the port of
    `SITE_URL`. Those in `HOSTS_ON_ANY_PORT` keep their port.

    Args:
        host: a `Host` header.
    """
    domain, port = split_domain_port(host) if len(host) <= MAX_LENGTH else ("", "")
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    # `.site.example` in ALLOWED_HOSTS would allow `a..site.example`, too.
    if not domain.startswith("[") and not all(map(LABEL.fullmatch, domain.split("."))):
        return None
    if validate_host(domain, settings.HOSTS_ON_ANY_PORT):
        return f"{domain}:{int(port)}" if port else domain
    site = urlsplit(settings.SITE_URL).port
    return f"{domain}:{site}" if site else domain


def accepted(host: str) -> str | None:
    """Return the canonical spelling of a host if it is spelled so, otherwise None.

    The default port is the same as none (RFC 3986, 6.2.3), and some proxies add it.
    """
    name = canonical(host)
    default = DEFAULT_PORTS[urlsplit(settings.SITE_URL).scheme]
    return name if name is not None and host in {name, f"{name}:{default}"} else None


class HostMiddleware(Middleware):
    """Refuses other spellings of the host with 400, or redirects to the canonical one.

    GET and HEAD are redirected. Place it before everything that reads the host. A request without a
    host is for the server's own name, which Django checks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], MaybeAwaitable]) -> None:
        super().__init__(get_response)
        self.reported = False
        self._accepted = lru_cache(maxsize=KNOWN)(accepted)

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not request.path_info.startswith("/"):
            # Such as http://other.example/ in the request line, which names a host of its own.
            return error_page(HTTPStatus.BAD_REQUEST)
        header = _header(request)
        host = request.META.get(header)
        if host is None:
            request.get_host()
            return None
        if name := self._accepted(host):
            request.META[header] = name
            return None
        name = canonical(host)
        if name is None:
            raise DisallowedHost(
                f"Invalid {header}: {host[:MAX_LENGTH]!r}. If the site should answer to it, add "
                "its name to ALLOWED_HOSTS."
            )
        if request.method not in {"GET", "HEAD"}:
            raise DisallowedHost(f"Invalid {header}: {host!r} must be spelled {name!r}.")
        self._report(request, host, name)
        scheme = "https" if settings.SECURE_SSL_REDIRECT else request.scheme
        # Not a permanent redirect, nor for caches: they may take both spellings for one URL.
        return HttpResponseRedirect(
            f"{scheme}://{name}{request.get_full_path()}", headers={"Cache-Control": "no-store"}
        )

    def _report(self, request: HttpRequest, host: str, name: str) -> None:
        if self.reported:
            return
        self.reported = True
        logger.warning(
            "%s %r arrived for the host %r and was redirected to %r. If a proxy wrote that host, "
            "this redirect repeats forever. Configure the proxy to pass on the Host header that "
            "the visitor sent, and set SITE_URL to the URL that visitors use.",
            request.method,
            request.path[:200],
            host,
            name,
        )


def _header(request: HttpRequest) -> str:
    """Return the key of the header that Django reads the host from."""
    forwarded = "HTTP_X_FORWARDED_HOST"
    use = settings.USE_X_FORWARDED_HOST and forwarded in request.META
    return forwarded if use else "HTTP_HOST"
