from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest

from dovetail.http.security import nonce

THEMES = {"light", "dark"}


def site(_request: HttpRequest) -> dict[str, Any]:
    return {
        "site_name": settings.SITE_NAME,
        "csrf_cookie_name": settings.CSRF_COOKIE_NAME,
        "traces_from_browsers": settings.TRACES_FROM_BROWSERS,
        "show_mailbox": apps.is_installed("dovetail.devtools"),
    }


def theme(request: HttpRequest) -> dict[str, str]:
    """Return the visitor's theme, or "" to follow the system."""
    chosen = request.COOKIES.get(settings.THEME_COOKIE_NAME, "")
    return {
        "theme": chosen if chosen in THEMES else "",
        "theme_cookie_name": settings.THEME_COOKIE_NAME,
    }


def csp(request: HttpRequest) -> dict[str, Any]:
    return {"csp_nonce": nonce(request)}
