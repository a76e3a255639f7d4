"""Serves uploads from the file system, in production too, to those who may see them.

    urlpatterns += upload_urls()  # none if the uploads are stored elsewhere, such as in S3

Who may see one is told by the rows that refer to it (`dovetail.media.access`); for others it does
not exist. An upload is what a stranger sent, so browsers show only pictures. Everything else, such
as HTML and SVG, is downloaded, and nothing can run scripts of this site or be framed by another.
Own code because Django's `static()` serves only with `DEBUG` and gives files the type that their
name asks for, and WhiteNoise lists a folder once, at the start.
"""

import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import PurePosixPath
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connections
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date, quote_etag
from django.views.decorators.http import require_safe

from dovetail.http.environ import scope_of
from dovetail.http.files import CHUNK, read_chunks
from dovetail.http.parts import part_asked_for
from dovetail.media.access import is_public, is_visible

# Browsers decode these without running anything in them.
PICTURES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
DOWNLOAD = "application/octet-stream"
# Only in browsers, because shared caches would keep what was deleted or is no longer published.
PUBLIC = "private, max-age=3600"  # seconds
PRIVATE = "private, no-store"


def upload_urls() -> list[URLPattern]:
    """Return the URL of uploads, or nothing if another server answers it.

    That is so if the default storage is not the file system, or if `MEDIA_URL` names a host.
    """
    prefix = settings.MEDIA_URL
    if not isinstance(default_storage, FileSystemStorage) or not re.match(r"/(?!/).", prefix):
        return []
    return [path(f"{prefix.lstrip('/')}<path:name>", serve_upload, name="upload")]


@require_safe
def serve_upload(request: HttpRequest, name: str) -> HttpResponseBase:
    """Return an upload, or a 404 for all that is not a file which this visitor may see."""
    file = _open(name)
    try:
        caching = _caching(request, name)
    except BaseException:
        file.close()
        raise
    facts = os.fstat(file.fileno())
    etag = quote_etag(f"{facts.st_mtime_ns:x}-{facts.st_size:x}")
    changed = http_date(facts.st_mtime)
    asked = request.headers.get("Range") if request.method == "GET" else None
    part = part_asked_for(asked, request.headers.get("If-Range"), facts.st_size, {etag, changed})
    response: Any = _content(request, file, name, facts.st_size, part)
    response = get_conditional_response(  # the content, or a 304 or 412 instead
        request, etag=etag, last_modified=int(facts.st_mtime), response=response
    )
    if not response.streaming:
        file.close()
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": caching,
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "ETag": etag,
        "Last-Modified": changed,
        "X-Content-Type-Options": "nosniff",
    }
    for header, value in headers.items():
        response[header] = value
    return cast("HttpResponseBase", response)


def _caching(request: HttpRequest, name: str) -> str:
    """Return the `Cache-Control` of an upload. The session is read only if it is not public.

    Raises:
        Http404: this visitor may not see it.
    """
    try:
        if is_public(name):
            return PUBLIC
        if request.user.is_authenticated and is_visible(name, request.user):
            return PRIVATE
    finally:
        # Not when all is sent: a few slow visitors would hold all connections of the process.
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
    raise Http404


def _open(name: str) -> BufferedReader:
    """Open an upload for reading.

    Raises:
        Http404: there is no such file, its path leads through a link or out of `MEDIA_ROOT`, or it
            is hidden.
    """
    storage = cast("FileSystemStorage", default_storage)
    root = os.path.realpath(storage.location)
    wanted = os.path.join(root, name)  # noqa: PTH118 - pathlib would normalize the name
    try:
        # The same only for a normalized name below the root without links.
        if os.path.realpath(storage.path(name)) != wanted or re.search(r"(^|/)\.", name):
            raise Http404
        # Without waiting, because opening a named pipe would.
        descriptor = os.open(wanted, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, SuspiciousFileOperation) as error:
        raise Http404 from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Http404
    return os.fdopen(descriptor, "rb")


def _content(
    request: HttpRequest, file: BufferedReader, name: str, size: int, part: tuple[int, int] | None
) -> HttpResponseBase:
    """Return the file or a part of it, without a body for HEAD."""
    first, last = part or (0, size - 1)
    if part and first > last:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    kind = PICTURES.get(PurePosixPath(name).suffix.lower(), DOWNLOAD)
    headers = {
        "Content-Disposition": str(
            content_disposition_header(kind == DOWNLOAD, PurePosixPath(name).name)
        ),
        "Content-Length": str(last - first + 1),
        "Content-Type": kind,
    }
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    response = FileResponse(file, status=206 if part else 200)  # closes the file when sent
    file.seek(first)
    read = read_chunks if scope_of(request) else _read  # a slow reader keeps no thread
    response.streaming_content = read(file, last - first + 1)
    for header, value in headers.items():
        response[header] = value
    return response


def _read(file: BufferedReader, size: int) -> Iterator[bytes]:
    while size and (chunk := file.read(min(CHUNK, size))):
        size -= len(chunk)
        yield chunk
