"""Serves static files under ASGI with WhiteNoise: on the event loop before Django, or in it.

    application = with_static(application)

Own code because WhiteNoise has no plans for ASGI, and its fork ServeStatic serves a file several
times slower. Files are compressed with Brotli and gzip only: no browser knows Zstandard but not
Brotli, which makes them smaller.
"""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils.http import parse_etags
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import (
    NOT_ALLOWED_RESPONSE,
    NOT_MODIFIED_HEADERS,
    Response,
    SlicedFile,
    StaticFile,
)
from whitenoise.storage import CompressedManifestStaticFilesStorage

from dovetail.http.collected import require_files
from dovetail.http.encodings import accepted_encodings
from dovetail.http.files import read_chunks
from dovetail.http.lifespan import Application, Receive, Scope, Send
from dovetail.http.parts import part_asked_for
from dovetail.http.security import set_headers
from dovetail.http.usual import Usual, UsualRequest, may_answer_for

MIDDLEWARE = "dovetail.http.static.StaticFilesMiddleware"
# The headers that decide on the answer.
READ = ["HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"]
SMALL = 256 * 1024  # bytes; smaller files are kept in memory
KEPT = 4 * 1024 * 1024  # bytes of them in a process

Headers = list[tuple[bytes, bytes]]
Pairs = tuple[tuple[str, str], ...]
_listed: dict[tuple[str, str], dict[str, Any]] = {}


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Adds a content hash to file names, except under assets/.

    Vite has hashed those already, and its chunks import one another by those names: with a second
    hash, the application would load twice.
    """

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        if name.startswith("assets/"):
            return name
        return cast("str", super().hashed_name(name, content, filename))


class Variant(NamedTuple):
    """A file in one encoding.

    Attributes:
        encoding: its name, None for the file as it is.
        path: where it is.
        etag: of its own, since a part of one variant is no part of another.
        headers: of an answer with the file.
        unchanged: of one that tells that it is the same.
    """

    encoding: str | None
    path: str
    etag: str
    headers: Pairs
    unchanged: Pairs

    @classmethod
    def of(cls, path: str, headers: list[tuple[str, str]]) -> "Variant":
        values = dict(headers)
        encoding = values.get("Content-Encoding")
        if encoding and "ETag" in values:
            values["ETag"] = f'{values["ETag"][:-1]}-{encoding}"'
        unchanged = tuple((name, values[name]) for name in NOT_MODIFIED_HEADERS if name in values)
        return cls(encoding, path, values.get("ETag", ""), tuple(values.items()), unchanged)


class File:
    """A static file that follows RFC 9110 also in what few clients ask for.

    WhiteNoise's looks for names in `Accept-Encoding` and compares `If-None-Match` as a text, gives
    all encodings one entity tag, and sends a part without regard to `If-Range`.
    """

    def __init__(self, file: StaticFile) -> None:
        self.last_modified = file.last_modified
        self.variants = [Variant.of(path, headers) for _, path, headers in file.alternatives]

    def find(self, meta: Mapping[str, str]) -> tuple[Variant, bool]:
        """Return the smallest variant that a client takes, and whether the client has it."""
        accepted = accepted_encodings(meta.get("HTTP_ACCEPT_ENCODING", ""))
        variant = next(v for v in self.variants if v.encoding is None or v.encoding in accepted)
        known = meta.get("HTTP_IF_NONE_MATCH")
        if known is not None:
            return variant, known == variant.etag or _names(known, variant.etag)
        if (header := meta.get("HTTP_IF_MODIFIED_SINCE")) is None or self.last_modified is None:
            return variant, False
        since = parsedate(header)
        return variant, since is not None and since >= self.last_modified

    def get_response(self, method: str, meta: Mapping[str, str]) -> Response:
        """Return the answer, as WhiteNoise's middleware asks for it."""
        if method not in {"GET", "HEAD"}:
            return NOT_ALLOWED_RESPONSE
        variant, is_known = self.find(meta)
        if is_known:
            return Response(HTTPStatus.NOT_MODIFIED, variant.unchanged, None)
        if method == "HEAD":
            return Response(HTTPStatus.OK, variant.headers, None)
        values = dict(variant.headers)
        size = int(values["Content-Length"])
        validators = {variant.etag, values.get("Last-Modified", "")}
        part = part_asked_for(meta.get("HTTP_RANGE"), meta.get("HTTP_IF_RANGE"), size, validators)
        if part is None:
            return Response(HTTPStatus.OK, variant.headers, Path(variant.path).open("rb"))
        first, last = part
        if first > last:
            missing = [("Content-Range", f"bytes */{size}")]
            return Response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, missing, None)
        values["Content-Range"] = f"bytes {first}-{last}/{size}"
        values["Content-Length"] = str(last - first + 1)
        file = Path(variant.path).open("rb")  # noqa: SIM115 - closed when it is sent
        content = SlicedFile(file, first, last)
        return Response(HTTPStatus.PARTIAL_CONTENT, list(values.items()), content)


def _names(header: str, etag: str) -> bool:
    """Return whether `If-None-Match` names this tag, which a proxy may have made a weak one."""
    tags = parse_etags(header)
    return "*" in tags or etag in {tag.removeprefix("W/") for tag in tags}


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        require_files()
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def update_files_dictionary(self, root: str, prefix: str) -> None:
        """List the files of a folder. A process has three lists, and reads them once."""
        before: dict[str, Any] = self.files
        self.files: dict[str, Any] = {}
        if (root, prefix) not in _listed:
            super().update_files_dictionary(root, prefix)
            _listed[root, prefix] = self.files
        self.files = before | _listed[root, prefix]

    def get_static_file(self, *args: Any, **kwargs: Any) -> File:
        return File(super().get_static_file(*args, **kwargs))

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if iscoroutinefunction(self):
            return self._respond(request)
        return cast("HttpResponseBase", super().__call__(request))

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if self.autorefresh:
            static_file = await sync_to_async(self.find_file)(request.path_info)
        else:
            static_file = self.files.get(request.path_info)
        if static_file is None:
            return await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        response: FileResponse = self.serve(static_file, request)
        response.streaming_content = read_chunks(response.file_to_stream)
        return response


def with_static(application: Application) -> Application:
    """Return an ASGI application that answers usual requests for static files on the event loop.

    All others are left to `StaticFilesMiddleware`: for a part of a file, with a body, over plain
    HTTP where HTTPS is required, for another spelling of the host, and so on. So are all if there
    is middleware before it that this does not know, and in development.
    """
    if not _may_answer():
        return application
    index = StaticFilesMiddleware(lambda _request: HttpResponse()).files  # empty in development
    files = {url: file for url, file in index.items() if isinstance(file, File)}
    usual = Usual(*READ)
    kept = KeptFiles()
    encode = lru_cache(maxsize=2048)(_encoded)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        file = files.get(scope["path"]) if scope["type"] == "http" else None
        request = usual.read(scope) if file else None
        if not file or not request:
            await application(scope, receive, send)
            return
        variant, is_known = file.find(request.META)
        status, headers = (304, variant.unchanged) if is_known else (200, variant.headers)
        encoded = encode(status, headers, request.is_secure())
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        has_body = not is_known and scope["method"] != "HEAD"
        content = kept.content(variant.path) if has_body else b""
        if content is not None:
            await send({"type": "http.response.body", "body": content})
        else:
            await _send_large(variant.path, send, scope.get("extensions") or {})

    return answer


def _may_answer() -> bool:
    return may_answer_for(MIDDLEWARE) and not (
        settings.STATIC_URL.startswith(settings.API_PREFIX)
        or re.match(settings.CORS_URLS_REGEX, settings.STATIC_URL)
    )


def _encoded(status: int, headers: Pairs, is_secure: bool) -> Headers:
    """Return the headers of a file, and those that the middleware for security adds."""
    request = UsualRequest("https" if is_secure else "http", {})
    response = HttpResponse(headers=dict(headers), status=status, content_type="")
    SecurityMiddleware(lambda _request: HttpResponse()).process_response(request, response)
    set_headers(request, response)
    if "Content-Type" not in dict(headers):
        del response["Content-Type"]
    return [(name.encode(), value.encode("latin-1")) for name, value in response.items()]


class KeptFiles:
    """Small files in memory, those that were asked for last."""

    def __init__(self) -> None:
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def content(self, path: str) -> bytes | None:
        """Return the content of a small file, None for a large one."""
        content = self._contents.get(path)
        if content is not None:
            self._contents.move_to_end(path)
        elif Path(path).stat().st_size <= SMALL:
            content = self._contents[path] = Path(path).read_bytes()
            self._size += len(content)
            while self._size > KEPT:
                self._size -= len(self._contents.popitem(last=False)[1])
        return content


async def _send_large(path: str, send: Send, extensions: dict[str, Any]) -> None:
    if "http.response.pathsend" in extensions:
        await send({"type": "http.response.pathsend", "path": path})  # the server reads it
        return
    with await sync_to_async(lambda: Path(path).open("rb"), thread_sensitive=False)() as file:
        async for chunk in read_chunks(file):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
