"""Answers visitors with kept pages on the event loop, before Django.

    application = with_visitor_pages(application)

A process remembers the bytes that Django has answered with, and sends them again to those whose
requests are the same in all that such an answer depends on (`dovetail.cache.pages`). What changes
a page drops its answer, too: each request has the cache asked for the words of the page's tags, but
one question answers all requests that have come while the last one was under way.

Own code because a cache in front of the application knows nothing of tags. All others than such
requests are left to Django, and all requests are if there is middleware before
`VisitorPagesMiddleware` that may count or refuse them (`dovetail.http.usual`).
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.utils.http import parse_etags

from dovetail.cache.computed import JITTER, keeps_pages, words_of
from dovetail.cache.pages import LOCALE, LONGEST, NOTES, STREAM, TTL, Note, has_no_cookie
from dovetail.http import request_id
from dovetail.http.lifespan import Application, Receive, Scope, Send
from dovetail.http.threads import Messages, Threads
from dovetail.http.usual import Usual, UsualRequest, may_answer_for

logger = logging.getLogger(__name__)

MIDDLEWARE = "dovetail.cache.pages.VisitorPagesMiddleware"
MOST_SECONDS = TTL * (1 + JITTER)  # for which an answer is remembered
SIZE = 8 * 1024 * 1024  # bytes of the answers that a process remembers
REQUEST_ID = request_id.HEADER.lower().encode()
# What decides on the answer, or on whether there is one.
READ = [
    *("HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE", "HTTP_IF_NONE_MATCH"),
    *("HTTP_TURBO_FRAME", "HTTP_X_REQUEST_ID"),
]
# What is left to Django whatever it says.
LEFT = {"HTTP_AUTHORIZATION", "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_ORIGIN"}

Headers = list[tuple[bytes, bytes]]
Key = tuple[Any, ...]


class Answer:
    """What Django has answered with a kept page.

    Attributes:
        note: for how long it is valid.
        unmodified: the headers of a 304 response; None until Django has sent one.
    """

    __slots__ = ("_body", "_has_request_id", "_headers", "_until", "etag", "note", "unmodified")

    def __init__(self, headers: Headers, body: bytes, note: Note) -> None:
        self._headers = _without_identifier(headers)
        self._has_request_id = len(self._headers) < len(headers)
        self._body = body
        self._until = time.monotonic() + MOST_SECONDS
        self.etag = _etag_in(headers)
        self.note = note
        self.unmodified: Headers | None = None

    @property
    def has_expired(self) -> bool:
        """Whether its time is over, also if the clock has been set back meanwhile."""
        return time.time() >= self.note.until or time.monotonic() >= self._until

    @property
    def size(self) -> int:
        """The bytes that it takes up, roughly."""
        return len(self._body) + 4096

    async def send(self, request: UsualRequest, send: Send, *, is_head: bool) -> bool:
        """Send it, and return whether Django need not answer."""
        given = request.META.get("HTTP_IF_NONE_MATCH", "")
        if given and _matches(given, self.etag):
            if self.unmodified is None:
                return False
            status, headers, body = HTTPStatus.NOT_MODIFIED, self.unmodified, b""
        else:
            status, headers, body = HTTPStatus.OK, self._headers, b"" if is_head else self._body
        if self._has_request_id:  # otherwise the access log adds it
            identifier = request_id.choose(request.META.get("HTTP_X_REQUEST_ID", ""))
            headers = [*headers, (REQUEST_ID, identifier.encode())]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return True


class Answers:
    """The answers that were asked for last, in `SIZE` bytes."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._size = 0

    def get(self, key: Key) -> Answer | None:
        if answer := self._answers.get(key):
            self._answers.move_to_end(key)
        return answer

    def drop(self, key: Key) -> None:
        if answer := self._answers.pop(key, None):
            self._size -= answer.size

    def keep(self, key: Key, notes: list[Note], status: int, headers: Headers, body: bytes) -> None:
        """Remember what Django has answered, if it has noted for how long."""
        if not notes:
            return
        known = self._answers.get(key)
        if status == HTTPStatus.NOT_MODIFIED and known and known.etag == _etag_in(headers):
            known.unmodified = _without_identifier(headers)
        elif status == HTTPStatus.OK and notes[0].until > time.time():
            self.drop(key)
            self._answers[key] = answer = Answer(headers, body, notes[0])
            self._size += answer.size
            while self._size > SIZE:
                self.drop(next(iter(self._answers)))


class Questions:
    """Asks the cache for the words of tags: once for all who ask while it answers."""

    def __init__(self) -> None:
        self._thread = Threads(1)  # in which the cache may wait for its server
        self._messages: Messages | None = None
        self._waiting: list[tuple[Note, asyncio.Future[bool]]] = []
        self._is_asking = False

    async def are_same(self, note: Note) -> bool:
        """Return whether nothing that a page shows has changed."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((note, future))
        if not self._is_asking:
            self._ask()
        return await future

    def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        loop = waiting[0][1].get_loop()
        if self._messages is None or self._messages.loop is not loop:
            self._messages = Messages(loop)  # once, since a server has one loop
        self._is_asking = True
        self._thread.run(partial(self._read, waiting, self._messages))

    def _read(self, waiting: list[tuple[Note, asyncio.Future[bool]]], messages: Messages) -> None:
        """Ask the cache. Called in the thread."""
        words: dict[str, Any] = {}
        try:
            words = words_of({tag for note, _ in waiting for tag in note.tags})
        except Exception:  # Django answers instead
            logger.exception("The cache could not be asked whether pages have changed")
        messages.send(partial(self._tell, waiting, words))

    def _tell(
        self, waiting: list[tuple[Note, asyncio.Future[bool]]], words: dict[str, Any]
    ) -> None:
        self._is_asking = False
        for note, future in waiting:
            if not future.done():  # its client may have gone
                future.set_result([words.get(tag) for tag in note.tags] == note.words)
        if self._waiting:
            self._ask()


def with_visitor_pages(application: Application) -> Application:
    """Return an ASGI application that answers on the event loop what it has answered before."""
    if not (keeps_pages() and may_answer_for(MIDDLEWARE)):
        return application
    usual = Usual(*READ, *LEFT)
    answers = Answers()
    questions = Questions()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = usual.read(scope) if scope["type"] == "http" else None
        key = key_of(scope, request) if request else None
        if key is None or request is None:
            await application(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        if known := answers.get(key):
            if known.has_expired or not await questions.are_same(known.note):
                answers.drop(key)
            elif await known.send(request, send, is_head=is_head):
                return
        notes: list[Note] = []
        keep = partial(answers.keep, key, notes)
        sending = send if is_head else _and_keep(send, keep)
        await application({**scope, NOTES: notes}, receive, sending)

    return answer


def _and_keep(send: Send, keep: Callable[[int, Headers, bytes], None]) -> Send:
    """Return what sends an answer and has it kept, if it comes in one piece, as pages do."""
    start: Mapping[str, Any] = {}

    async def send_and_keep(message: Mapping[str, Any]) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        elif start and not message.get("more_body"):
            keep(start["status"], list(start["headers"]), message.get("body", b""))
        else:
            start = {}
        await send(message)

    return send_and_keep


def key_of(scope: Scope, request: UsualRequest) -> Key | None:
    """Return all that the answer to a visitor depends on, None if Django is to answer.

    Another spelling of the same is another key.
    """
    meta = request.META
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    frame = meta.get("HTTP_TURBO_FRAME", "")
    language = meta.get("HTTP_ACCEPT_LANGUAGE", "") if LOCALE in settings.MIDDLEWARE else ""
    if (
        not LEFT.isdisjoint(meta)
        or not has_no_cookie(meta.get("HTTP_COOKIE", ""))
        or max(len(path) + len(query), len(frame), len(language)) > LONGEST
    ):
        return None
    takes_stream = STREAM in meta.get("HTTP_ACCEPT", "")
    host = meta.get("HTTP_HOST")
    return (path, query, host, request.is_secure(), frame, takes_stream, language)


def _without_identifier(headers: Headers) -> Headers:
    return [header for header in headers if header[0].lower() != REQUEST_ID]


def _etag_in(headers: Headers) -> str:
    return next((value.decode() for name, value in headers if name.lower() == b"etag"), "")


def _matches(header: str, etag: str) -> bool:
    """Return whether `If-None-Match` names a tag, or any (RFC 9110, section 13.1.2)."""
    given = parse_etags(header)
    return given == ["*"] or etag.removeprefix("W/") in {one.removeprefix("W/") for one in given}
