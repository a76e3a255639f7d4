"""Sets the headers that Django 5.2 does not: CSP, Permissions-Policy and CORP.

Own code until Django 6, which has `SECURE_CSP` and its middleware; django-csp is not actively
developed.
"""

import secrets
from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from dovetail.http.middleware import Middleware

# Django's debug pages contain inline styles and scripts; Django 6 exempts them too.
DEBUG_PAGES = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}
NONCE = "<CSP_NONCE_SENTINEL>"  # the value of django.utils.csp.CSP.NONCE in Django 6


def nonce(request: HttpRequest) -> SimpleLazyObject[str]:
    """Return the request's nonce, generated when a template first renders it."""
    if not hasattr(request, "csp_nonce"):
        request.csp_nonce = SimpleLazyObject(lambda: secrets.token_urlsafe(16))  # type: ignore[attr-defined]
    return cast("SimpleLazyObject[str]", request.csp_nonce)  # type: ignore[attr-defined]


def build_policy(policy: dict[str, list[str]], request: HttpRequest) -> str:
    """Return the policy as a header value, with the nonce only if the page used it."""
    used = getattr(request, "csp_nonce", None)
    value = used is not None and str(used)
    source = f"'nonce-{value}'" if value else ""
    directives = []
    for directive, sources in policy.items():
        given = [source if item == NONCE else item for item in sources]
        directives.append(" ".join([directive, *filter(None, given)]))
    return "; ".join(directives)


def set_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the headers that the view has not set itself."""
    headers = response.headers
    if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
        policy = build_policy(settings.SECURE_CSP, request)
        headers.setdefault("Content-Security-Policy", policy)
    if settings.REPORTING_ENDPOINTS:
        endpoints = [f'{name}="{url}"' for name, url in settings.REPORTING_ENDPOINTS.items()]
        headers.setdefault("Reporting-Endpoints", ", ".join(endpoints))
    headers.setdefault(
        "Permissions-Policy",
        ", ".join(
            f"{feature}=({' '.join(allowed)})"
            for feature, allowed in settings.PERMISSIONS_POLICY.items()
        ),
    )
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")


class SecurityHeadersMiddleware(Middleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        set_headers(request, response)
