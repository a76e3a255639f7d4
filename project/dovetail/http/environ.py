"""What a WSGI server would tell Django about a request, made of what an ASGI server tells."""

import os
import sys
from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any, cast
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from dovetail.http.files import CHUNK
from dovetail.http.lifespan import Scope

SCOPE = "asgi.scope"  # the key in the environ

Headers = list[tuple[bytes, bytes]]


def scope_of(request: HttpRequest) -> Scope | None:
    """Return the ASGI scope of a request, None under a WSGI server and in tests.

    With a scope, a sync view may return a `StreamingHttpResponse` of an async iterator.
    """
    if isinstance(request, ASGIRequest):
        return cast("Scope", request.scope)
    return cast("Scope | None", request.META.get(SCOPE))


def path_info(scope: Scope) -> str:
    """Return the path without the script prefix."""
    prefix = scope.get("root_path", "")
    path: str = scope["path"]
    return path.removeprefix(prefix) if prefix else path


def environ(scope: Scope, body: IO[bytes] | None) -> dict[str, Any]:
    """Return the variables that a WSGI server would give Django (PEP 3333), with the scope.

    Args:
        scope: of the request.
        body: at its beginning, None if the request has none.
    """
    raw = scope.get("raw_path")
    path = unquote_to_bytes(raw) if raw else scope["path"].encode()
    prefix = scope.get("root_path", "").encode()
    server, port = scope.get("server") or ("unknown", 0)
    variables: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": prefix.decode("latin-1"),
        "PATH_INFO": path.removeprefix(prefix).decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body or BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _in_chunks,
        SCOPE: scope,
    }
    if client := scope.get("client"):
        variables["REMOTE_ADDR"] = variables["REMOTE_HOST"] = client[0]
        variables["REMOTE_PORT"] = str(client[1])
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            continue  # as Django does: it would look like another header with hyphens
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        if name in variables:
            separator = "; " if name == "HTTP_COOKIE" else ","
            value = f"{variables[name]}{separator}{value}"
        variables[name] = value
    if body:
        # Also for a body that was sent in chunks, of which Django would read nothing.
        variables["CONTENT_LENGTH"] = str(_size(body))
    return variables


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _in_chunks(file: Any, _: int) -> Iterable[bytes]:
    """Read a file in larger chunks than Django asks for, as its ASGI handler does."""
    return FileWrapper(file, CHUNK)


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of a WSGI response for ASGI."""
    return [(name.encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers]
