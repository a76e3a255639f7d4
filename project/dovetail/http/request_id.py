"""An identifier for each request, in its log lines, in its answer and in the access log.

A person who reports an error can name it, and a proxy that sets `X-Request-ID` finds its own in the
logs. Own code because it is shorter than the setup of a package for it, and those do not know which
requests come through a trusted proxy.
"""

import secrets
from collections.abc import Awaitable
from contextvars import ContextVar
from string import ascii_letters, digits
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty

from dovetail.http.environ import scope_of
from dovetail.http.middleware import MaybeAwaitable, Middleware

HEADER = "X-Request-ID"
MAX_LENGTH = 64
SAFE = frozenset(ascii_letters + digits + "-_.")
ENTRY = "dovetail.access_log"  # the key in the scope of what dovetail.http.access_log will log

current: ContextVar[str] = ContextVar("request_id", default="")


def choose(given: str) -> str:
    """Return the identifier of a request: the one that a trusted proxy gave it, or a new one.

    Args:
        given: its `X-Request-ID` header, or "". It must be short and made of `SAFE` characters, so
            that it cannot forge lines of the log.
    """
    if settings.TRUSTED_PROXY_COUNT and 0 < len(given) <= MAX_LENGTH and SAFE.issuperset(given):
        return given
    return secrets.token_hex(16)


class RequestIdMiddleware(Middleware):
    """Sets `current` for what handles a request. Put it first."""

    def __call__(self, request: HttpRequest) -> MaybeAwaitable:
        if self.is_async:
            return self._respond(request)
        entry = _entry(request)
        identifier = entry.request_id if entry else choose(request.headers.get(HEADER, ""))
        before = current.set(identifier)  # a thread has more requests after this one
        try:
            response = cast("HttpResponseBase", self.get_response(request))
        finally:
            current.reset(before)
        return _finish(request, response, entry, identifier)

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        entry = _entry(request)
        identifier = entry.request_id if entry else choose(request.headers.get(HEADER, ""))
        before = current.set(identifier)
        try:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        finally:
            current.reset(before)
        return _finish(request, response, entry, identifier)


def _entry(request: HttpRequest) -> Any:
    return (scope_of(request) or {}).get(ENTRY)


def _finish(
    request: HttpRequest, response: HttpResponseBase, entry: Any, identifier: str
) -> HttpResponseBase:
    if entry:  # the access log adds the header
        entry.user_id = _user_id(request)
    else:
        response[HEADER] = identifier
    return response


def _user_id(request: HttpRequest) -> str:
    """Return the key of the person who is signed in, "" if the request did not ask who it is."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject) and user.__dict__["_wrapped"] is empty:
        return ""
    return str(getattr(user, "pk", None) or "")
