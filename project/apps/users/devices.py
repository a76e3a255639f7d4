"""Describes a browser in words, and recognizes returning browsers by a signed cookie."""

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from apps.users.models import User

COOKIE_AGE = 365 * 24 * 3600  # seconds
MAX_USERS = 5  # remembered per browser
RESET_KEY = "users_password_reset"  # in a session: the account whose password it has reset

MAX_APP_NAME = 30  # characters
MAX_USER_AGENT = 500  # characters that are looked at; browsers send some 120

# What a user agent contains. The first that is found counts, because user agents also name the
# browsers they derive from.
BROWSERS = {
    "Edge": ("Edg/", "Edge/", "EdgA/", "EdgiOS/"),
    "Opera": ("OPR/", "Opera"),
    "Samsung Internet": ("SamsungBrowser/",),
    "Firefox": ("Firefox/", "FxiOS/"),
    "Chrome": ("Chrome/", "CriOS/", "Chromium/"),
    "Safari": ("Safari/",),
}
SYSTEMS = {
    "iPhone": ("iPhone",),
    "iPad": ("iPad",),
    "Android": ("Android",),
    "Windows": ("Windows",),
    "ChromeOS": ("CrOS",),
    "macOS": ("Mac OS X", "Macintosh"),
    "Linux": ("Linux", "X11"),
}


def describe(user_agent: str) -> str:
    """Return a name such as "Firefox on Linux", or "Unknown browser" if none matches.

    An app is named as its user agent begins: "Joiner/2.1 (iPhone)" is "Joiner on iPhone".
    """
    text = user_agent[:MAX_USER_AGENT]
    browser = _first(BROWSERS, text) or _app(text)
    system = _first(SYSTEMS, text)
    return " on ".join(filter(None, [browser or "Unknown browser", system]))


def is_known(request: HttpRequest, user: User) -> bool:
    """Return whether this person has logged in with this browser before."""
    return _user_hash(user) in _cookie(request)["users"]


def browser_of(request: HttpRequest, user: User) -> str:
    """Return an id of this browser if its user has proved to own the account, otherwise "".

    They have if they have logged in before, or just used a link to reset the password. Copies of
    the cookie have the same id, also after other people have logged in with them.
    """
    if is_known(request, user):
        return str(_cookie(request)["browser"])
    return "reset" if request.session.get(RESET_KEY) == str(user.pk) else ""


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Record in the browser's cookie that this person has logged in with it."""
    cookie = _cookie(request)
    latest = _user_hash(user)
    users = [latest, *(other for other in cookie["users"] if other != latest)][:MAX_USERS]
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps(cookie | {"users": users}, salt=__name__),
        max_age=COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _first(signs: dict[str, tuple[str, ...]], text: str) -> str:
    return next((name for name, parts in signs.items() if any(part in text for part in parts)), "")


def _app(text: str) -> str:
    """Return the name of the product that a user agent begins with, if it is no browser's."""
    name, slash, _ = text.partition("/")
    is_name = name.isascii() and name.replace("-", "").isalnum() and len(name) <= MAX_APP_NAME
    return name if slash and is_name and name != "Mozilla" else ""


def _user_hash(user: User) -> str:
    """Return a keyed hash of the user's id, so that the cookie reveals no ids."""
    return salted_hmac(__name__, str(user.pk), algorithm="sha256").hexdigest()[:32]


def _cookie(request: HttpRequest) -> dict[str, Any]:
    """Return the id of the browser and the hashes of its users, of a new one without a cookie."""
    try:
        value = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
        cookie = signing.loads(value, salt=__name__, max_age=COOKIE_AGE)
    except signing.BadSignature:
        cookie = None
    if isinstance(cookie, dict):
        return cookie
    return {"browser": secrets.token_urlsafe(16), "users": []}
