"""The headers that Django 5.2 does not set: CSP, Permissions-Policy, CORP.

Own code until Django 6, which has `SECURE_CSP` and its middleware; django-csp stands still.
"""

import secrets
from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from dovetail.http.middleware import Middleware

# Django's error pages for developers have styles and scripts inline; Django 6 exempts them too.
DEBUG_PAGES = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}
NONCE = "<CSP_NONCE_SENTINEL>"  # the value of django.utils.csp.CSP.NONCE in Django 6


def nonce(request: HttpRequest) -> SimpleLazyObject[str]:
    """Return the request's nonce, made when a template first renders it."""
    if not hasattr(request, "csp_nonce"):
        request.csp_nonce = SimpleLazyObject(lambda: secrets.token_urlsafe(16))  # type: ignore[attr-defined]
    return cast("SimpleLazyObject[str]", request.csp_nonce)  # type: ignore[attr-defined]


def build_policy(policy: dict[str, list[str]], request: HttpRequest) -> str:
    """Return the policy as a header, with the nonce where a page has used it."""
    used = getattr(request, "csp_nonce", None)
    made = used is not None and str(used)
    source = f"'nonce-{made}'" if made else ""
    directives = []
    for directive, sources in policy.items():
        values = [source if value == NONCE else value for value in sources]
        directives.append(" ".join([directive, *filter(None, values)]))
    return "; ".join(directives)


def set_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set what a view has not set itself."""
    headers = response.headers
    if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
        policy = build_policy(settings.SECURE_CSP, request)
        headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault(
        "Permissions-Policy",
        ", ".join(
            f"{feature}=({' '.join(who)})" for feature, who in settings.PERMISSIONS_POLICY.items()
        ),
    )
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")


class SecurityHeadersMiddleware(Middleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        set_headers(request, response)
