"""Which browser a person uses, in words, and whether it is one they have used before."""

import re
from typing import cast

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from apps.users.models import User

COOKIE_AGE = 365 * 24 * 3600  # seconds
MOST_PEOPLE = 5  # who share one browser

# The first that fits counts: browsers name those that they are built on, too.
BROWSERS = [
    (r"Edg(e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrome/|CriOS/|Chromium/", "Chrome"),
    (r"Version/[\d.]+ .*Safari/", "Safari"),
]
SYSTEMS = [
    (r"iPhone", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"CrOS", "ChromeOS"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"Linux|X11", "Linux"),
]


def describe(user_agent: str) -> str:
    """Return "Firefox on Linux" and the like, "Unknown browser" for anything else."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    return " on ".join(filter(None, [browser or "Unknown browser", system]))


def is_known(request: HttpRequest, user: User) -> bool:
    """Tell whether this person has logged in with this browser before."""
    return _mark(user) in _marks(request)


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Let the browser keep that this person has logged in with it."""
    mark = _mark(user)
    marks = [mark, *(other for other in _marks(request) if other != mark)][:MOST_PEOPLE]
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps(marks, salt=__name__),
        max_age=COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _first(patterns: list[tuple[str, str]], text: str) -> str:
    return next((name for pattern, name in patterns if re.search(pattern, text)), "")


def _mark(user: User) -> str:
    """A sign for a person that says nothing about them to who reads the cookie."""
    return salted_hmac(__name__, str(user.pk), algorithm="sha256").hexdigest()[:32]


def _marks(request: HttpRequest) -> list[str]:
    try:
        cookie = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
        return cast("list[str]", signing.loads(cookie, salt=__name__, max_age=COOKIE_AGE))
    except signing.BadSignature:
        return []
