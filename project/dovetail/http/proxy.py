"""Reports a redirect loop between this application and the proxy in front that terminates TLS.

The proxy passes requests on over plain HTTP. Unless the application trusts the proxy's word that
the visitor used HTTPS, it answers each of them with a redirect to the URL that the visitor asked
for.
"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dovetail.http.middleware import MaybeAwaitable, Middleware

logger = logging.getLogger(__name__)

# Browsers send it only over HTTPS, and to localhost.
BROWSER_USED_HTTPS = "Sec-Fetch-Site"
# What a request has only if a proxy has passed it on: most are headers that proxies add.
FORWARDED = (
    *("X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"),
    BROWSER_USED_HTTPS,
)
REMEDIES = {
    "count": (
        "%s arrived over plain HTTP with %s and was redirected to https://. TRUSTED_PROXY_COUNT "
        "is 0, so the header is ignored, and behind a proxy that terminates TLS this redirect "
        "repeats forever. Set TRUSTED_PROXY_COUNT to the number of proxies in front of this server."
    ),
    "header": (
        "%s arrived over plain HTTP %s and was redirected to https://. TRUSTED_PROXY_COUNT is %d, "
        "and if a proxy passed it on, this redirect repeats forever. Configure the proxy to set "
        "X-Forwarded-Proto to the scheme that the visitor used."
    ),
    "scheme": (
        "%s arrived with the scheme %r in X-Forwarded-Proto from a browser that used HTTPS, and "
        "was redirected to https://, which repeats forever. A proxy has put its own scheme there: "
        "configure it to keep the header of the proxy in front of it."
    ),
}


class RedirectLoopMiddleware(Middleware):
    """Logs once per process what causes the loop and how to end it.

    Put it before Django's `SecurityMiddleware`, which redirects. It costs other responses nothing
    but a look at their status.
    """

    def __init__(self, get_response: Callable[[HttpRequest], MaybeAwaitable]) -> None:
        if not settings.SECURE_SSL_REDIRECT:
            raise MiddlewareNotUsed
        super().__init__(get_response)
        self.reported: set[str] = set()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if response.status_code != 301 or request.is_secure():  # noqa: PLR2004
            return
        if not response.get("Location", "").startswith("https://"):
            return
        self._report(f"{request.method} {request.path[:200]!r}", request)

    def _report(self, what: str, request: HttpRequest) -> None:
        count = settings.TRUSTED_PROXY_COUNT
        named = next((name for name in FORWARDED if name in request.headers), None)
        if count == 0 and named:
            self._warn("count", what, named)
        elif count and "X-Forwarded-Proto" not in request.headers:
            self._warn("header", what, "without X-Forwarded-Proto", count)
        elif count and BROWSER_USED_HTTPS in request.headers:
            self._warn("scheme", what, request.headers["X-Forwarded-Proto"][:20])

    def _warn(self, remedy: str, *values: object) -> None:
        if remedy not in self.reported:
            self.reported.add(remedy)
            logger.warning(REMEDIES[remedy], *values)
