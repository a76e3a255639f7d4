"""Sets the headers that Django 5.2 does not, and on every answer: CSP, Permissions-Policy, CORP.

Own code until Django 6, which has `SECURE_CSP` and its middleware; django-csp is not actively
developed. What other middleware answers before Django's `SecurityMiddleware` and
`XFrameOptionsMiddleware`, such as 400 to a wrong host, gets their headers here.
"""

import secrets
from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject, empty

from dovetail.http.middleware import Middleware

# Django's debug pages contain inline styles and scripts; Django 6 exempts them too.
DEBUG_PAGES = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"  # for what browsers show as no page
NONCE = "<CSP_NONCE_SENTINEL>"  # the value of django.utils.csp.CSP.NONCE in Django 6


class LazyNonce(SimpleLazyObject[str]):
    """A nonce that is generated when it is first rendered, and false until then."""

    _wrapped: object

    def __init__(self) -> None:
        super().__init__(lambda: secrets.token_urlsafe(16))

    def __bool__(self) -> bool:
        return self._wrapped is not empty


def nonce(request: HttpRequest) -> LazyNonce:
    """Return the request's nonce, generated when a template first renders it."""
    if not hasattr(request, "csp_nonce"):
        request.csp_nonce = LazyNonce()  # type: ignore[attr-defined]
    return cast("LazyNonce", request.csp_nonce)  # type: ignore[attr-defined]


def build_policy(policy: dict[str, list[str]], request: HttpRequest) -> str:
    """Return the policy as a header value, with the nonce only if the page used it."""
    used = getattr(request, "csp_nonce", None)
    source = f"'nonce-{used}'" if used else ""
    directives = []
    for directive, sources in policy.items():
        given = [source if item == NONCE else item for item in sources]
        directives.append(" ".join([directive, *filter(None, given)]))
    return "; ".join(directives)


def set_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the headers that the view has not set itself.

    None on 304, whose headers replace those of the copy that the browser has (RFC 9111, 3.2).
    """
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        return
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", settings.SECURE_REFERRER_POLICY)
    headers.setdefault("Cross-Origin-Opener-Policy", settings.SECURE_CROSS_ORIGIN_OPENER_POLICY)
    if headers.get("Access-Control-Allow-Origin") == "*":
        # A static file, which any site may read, and mail programs show from theirs.
        headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
        return
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if not getattr(response, "xframe_options_exempt", False):
        headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
    if not headers.get("Content-Type", "").startswith("text/html"):
        headers.setdefault("Content-Security-Policy", NO_PAGE)
        return
    if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
        policy = build_policy(settings.SECURE_CSP, request)
        headers.setdefault("Content-Security-Policy", policy)
    if settings.REPORTING_ENDPOINTS:
        endpoints = [f'{name}="{url}"' for name, url in settings.REPORTING_ENDPOINTS.items()]
        headers.setdefault("Reporting-Endpoints", ", ".join(endpoints))
    headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)


class SecurityHeadersMiddleware(Middleware):
    """Place it first, so that no answer is without these headers."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        set_headers(request, response)
