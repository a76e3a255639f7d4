"""Keeps public pages for visitors: people without a session, who all get the same page.

    @method_decorator(for_visitors("articles"), name="dispatch")
    class ArticleDetailView(DetailView[Article]): ...

A page is kept for `TTL` seconds, and dropped when one of its tags is invalidated, which happens
before open pages are told to refresh (`dovetail.turbo.models`). Many requests for a page that is
missing render it once. While the cache is unavailable, each of them renders it.

What could be someone's own never gets in:

- A view says that its page is public; no other is kept.
- The request has no cookie but that of CSRF, no `Authorization` and no query that the view has not
  named. Everything else that a page may depend on is in the key, and a response that says by `Vary`
  that it depends on more is not kept.
- The response sets no cookie, has no nonce and no session, is not compressed, and does not say
  `private`, `no-store` or `no-cache`.

Own code because Django's `cache_page` keeps all that a view returns, drops nothing when rows
change, and lets all requests render at the same time once a page has expired.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.translation import get_language_from_request

from dovetail.cache.computed import Kept, keeps_pages, kept
from dovetail.cache.release import release
from dovetail.http.conditional import etag_of, is_page, names_in
from dovetail.http.environ import scope_of
from dovetail.http.middleware import MaybeAwaitable, Middleware

TTL = 60  # seconds
LARGEST = 256 * 1024  # bytes of a page
LONGEST = 512  # characters of a URL, and of a frame's id
NOTES = "dovetail.kept"  # the key in the scope
MOST = 2000  # different addresses that a process looks up within `TTL`: more are not kept
STREAM = "text/vnd.turbo-stream.html"
LOCALE = "django.middleware.locale.LocaleMiddleware"
OWN = {"private", "no-store", "no-cache"}
UNKEPT = 2  # seconds in which a page is not asked for again that could not be kept, as an error
PATIENCE = 3  # seconds that others wait for the one that renders it
TOKEN = re.compile(r"[A-Za-z0-9]{32}(?:[A-Za-z0-9]{32})?")  # as Django's
VARY = {"cookie", "accept", "accept-encoding", "turbo-frame"}  # what the key has, or excludes

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Visitors:
    """What a view says about its page.

    Attributes:
        tags: what invalidates the page, as for `cached`.
        query: the parameters that it may be asked for with, and the values of each.
    """

    tags: tuple[str, ...]
    query: Mapping[str, Collection[str]] = field(default_factory=dict)

    def accepts(self, query: str) -> bool:
        """Return whether a query string has only named parameters, each once."""
        if not query:
            return True
        data = QueryDict(query)
        return all(
            len(values) == 1 and values[0] in self.query.get(name, ())
            for name, values in data.lists()
        )


def for_visitors(
    *tags: str, query: Mapping[str, Collection[str]] | None = None
) -> Callable[[View], View]:
    """Mark a view whose page is the same for all visitors. It must count and change nothing.

    Args:
        *tags: what invalidates the page: name all that it shows.
        query: the parameters of the URL that the page may have, and the values of each. With
            others, it is not kept.
    """

    def mark(view: View) -> View:
        view.for_visitors = Visitors(tags, query or {})  # type: ignore[attr-defined]
        return view

    return mark


def key_of(request: HttpRequest) -> str | None:
    """Return the key of the page that a visitor asks for; None if it may be someone's own.

    It looks at nothing but the headers, and asks no server.
    """
    meta = request.META
    query = meta.get("QUERY_STRING", "")
    frame = meta.get("HTTP_TURBO_FRAME", "")
    if (
        request.method not in {"GET", "HEAD"}
        or "HTTP_AUTHORIZATION" in meta
        or len(request.path) + len(query) > LONGEST
        or len(frame) > LONGEST
        or not has_no_cookie(meta.get("HTTP_COOKIE", ""))
    ):
        return None
    takes_stream = STREAM in meta.get("HTTP_ACCEPT", "")
    language = get_language_from_request(request) if LOCALE in settings.MIDDLEWARE else ""
    parts = (request.scheme, request.get_host(), request.path, query, frame, takes_stream, language)
    return f"page:{parts!r}"


def has_no_cookie(header: str) -> bool:
    """Return whether there is no cookie but that of CSRF, which no page without a form shows."""
    if not header:
        return True
    name, _, value = header.partition("=")
    # Another value, or a second one, would make Django set a new one.
    return name.strip() == settings.CSRF_COOKIE_NAME and bool(TOKEN.fullmatch(value.strip()))


class VisitorPagesMiddleware(Middleware):
    """Answers visitors with kept pages. Place it inside of what checks the host and HTTPS.

    What is outside of it still runs: the headers of security, compression, the comparison of
    `ETag`. Sessions, sign-in, messages and views are inside, and are not asked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], MaybeAwaitable]) -> None:
        super().__init__(get_response)
        self._limit = Limit()
        self._unkept: dict[str, float] = {}  # until when, by key

    def __call__(self, request: HttpRequest) -> MaybeAwaitable:
        if (key := key_of(request)) is None or (page := self._public(request, key)) is None:
            return self.get_response(request)
        if self.is_async:
            return self._arespond(request, key, page)
        return self._find_or_render(request, key, page, cast("Any", self.get_response))

    async def _arespond(self, request: HttpRequest, key: str, page: Visitors) -> HttpResponseBase:
        render = async_to_sync(cast("Any", self.get_response))
        return await sync_to_async(self._find_or_render)(request, key, page, render)

    def _public(self, request: HttpRequest, key: str) -> Visitors | None:
        """Return what the view says about its page, None if nothing or if there are too many."""
        if not keeps_pages():
            return None
        try:
            view = resolve(request.path_info).func
        except Resolver404:
            return None
        page: Visitors | None = getattr(view, "for_visitors", None)
        if page is None or not page.accepts(request.META.get("QUERY_STRING", "")):
            return None
        return page if self._limit.allows(key) else None

    def _find_or_render(
        self,
        request: HttpRequest,
        key: str,
        page: Visitors,
        get_response: Callable[[HttpRequest], HttpResponseBase],
    ) -> HttpResponseBase:
        if self._unkept.get(key, 0) > time.monotonic():
            return get_response(request)
        rendered: list[HttpResponseBase] = []

        def render() -> list[Any]:
            # HEAD asks for the headers of GET, and the server leaves out the page.
            method, request.method = request.method, "GET"
            try:
                response = get_response(request)
            finally:
                request.method = method
            rendered.append(response)
            return _kept(request, response)

        try:
            entry = kept(key, render, ttl=TTL, version=release(), tags=page.tags, patience=PATIENCE)
            content, headers = entry.value
            _note(request, page, entry)
        except NotKept:
            if len(self._unkept) > MOST:
                self._unkept.clear()
            self._unkept[key] = time.monotonic() + UNKEPT
        if rendered:
            return rendered[0]
        return HttpResponse(content, headers=headers)


class NotKept(Exception):  # noqa: N818 - a state
    """The response is for one request only. It is not stored, so that it keeps out no other."""


@dataclass(frozen=True)
class Note:
    """What `dovetail.cache.answers` is told of an answer: for how long its page is valid."""

    tags: tuple[str, ...]
    until: float
    words: list[Any]


def _note(request: HttpRequest, page: Visitors, entry: Kept[Any]) -> None:
    notes: list[Note] | None = (scope_of(request) or {}).get(NOTES)
    if notes is not None:
        notes.append(Note(page.tags, entry.until, entry.words))


class Limit:
    """Limits how many keys are used, so that the cache is not filled with pages nobody reads."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._until = 0.0

    def allows(self, key: str) -> bool:
        if (now := time.monotonic()) > self._until:
            self._seen, self._until = set(), now + TTL
        if key in self._seen:
            return True
        if len(self._seen) >= MOST:
            return False
        self._seen.add(key)
        return True


def _kept(request: HttpRequest, response: HttpResponseBase) -> list[Any]:
    """Return what to keep of a response, and tell other caches so.

    Raises:
        NotKept: it may be someone's own, is an error, or too large.
    """
    if not is_page(response) or not _is_public(request, response):
        raise NotKept
    content = cast("HttpResponse", response).content
    if len(content) > LARGEST:
        raise NotKept
    lifetime = "public, max-age=0"
    if seconds := settings.PAGES_CDN_SECONDS:
        lifetime += f", s-maxage={seconds}, stale-while-revalidate={seconds}"
    response.headers["Cache-Control"] = lifetime
    response.headers["ETag"] = etag_of(content)
    return [content, dict(response.headers)]


def _is_public(request: Any, response: HttpResponseBase) -> bool:
    known = VARY | ({"accept-language"} if LOCALE in settings.MIDDLEWARE else set())
    session = getattr(request, "session", None)
    user = getattr(request, "user", None)
    return not (
        response.cookies
        or response.has_header("Content-Encoding")
        or names_in(response, "Cache-Control") & OWN
        or names_in(response, "Vary") - known
        or getattr(request, "csp_nonce", None)
        or request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
        or (session is not None and not session.is_empty())
        or (user is not None and user.is_authenticated)
    )
