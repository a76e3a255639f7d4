"""Tells visitors that their copy of a row still holds, before a session and a view are set up.

What surrounds a view costs several times as much as to look at the version of a row. So the view is
asked for the version first, unless the request has what only the whole view knows: a cookie or a
token, by which it would be someone's, or a wish for another format. If the copy does not hold, or
anything else is wrong, the view answers as it does without this.

Such an answer does not count for the limits: to refuse a request costs more.

Own code because Django's `condition` and `ConditionalGetMiddleware` run within or after the view.
"""

from http import HTTPStatus
from inspect import unwrap
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from dovetail.api import deprecation
from dovetail.api.etags import VersionedMixin
from dovetail.http.middleware import Middleware

FORMATS = {"*/*", "application/json"}  # whose answer has the same ETag
SENDERS = ("HTTP_COOKIE", "HTTP_AUTHORIZATION")  # may name a person


class UnchangedMiddleware(Middleware):
    """Answers `If-None-Match` of visitors with 304. Place it after what checks the host."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        return _answer(request) if _is_conditional(request) else None

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        return await sync_to_async(_answer)(request) if _is_conditional(request) else None


def _is_conditional(request: HttpRequest) -> bool:
    meta = request.META
    return (
        request.method in {"GET", "HEAD"}
        # "*" is for any version: whether the address is right, only the view knows.
        and meta.get("HTTP_IF_NONE_MATCH", "*").strip() != "*"
        and request.path_info.startswith(settings.API_PREFIX)
        and meta.get("HTTP_ACCEPT", "*/*") in FORMATS
        and not any(map(meta.get, SENDERS))
    )


def _answer(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a visitor whose copy still holds, None to all others."""
    view = _view_of(request)
    if view is None:
        return None
    try:
        view.check_permissions(view.request)
        etag = view.unchanged_etag(**view.kwargs)
    except (Http404, APIException):
        etag = None  # the view says what is wrong
    if etag is None:
        del request.META["HTTP_IF_NONE_MATCH"]  # so that the view does not look again
        return None
    answer = HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    deprecation.announce(view, view.retrieve, answer)
    return answer


def _view_of(request: HttpRequest) -> VersionedMixin | None:
    """Return the view that answers the request, if it can be asked for a version."""
    try:
        match = resolve(request.path_info)
    except Http404:
        return None
    found: Any = match.func  # REST framework says of its functions what they call
    if not issubclass(getattr(found, "cls", object), VersionedMixin):
        return None
    if found.actions.get("get") != "retrieve":
        return None
    if unwrap(found.cls.retrieve) is not VersionedMixin.retrieve:
        return None  # one of its own may do more
    view: VersionedMixin = found.cls(**found.initkwargs)
    view.action = "retrieve"
    view.kwargs = match.kwargs
    view.request = Request(request)
    return view
