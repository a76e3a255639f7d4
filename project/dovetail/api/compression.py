"""Compresses the answers of the API, as proxies do only if they are told to."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from dovetail.http.encodings import accepted_encodings
from dovetail.http.middleware import Middleware

LARGEST = 256 * 1024  # bytes; more would hold up the event loop's other requests


class CompressionMiddleware(Middleware):
    """Lets Django's middleware compress what is below `API_PREFIX`, except for pages.

    It adds a random number of bytes, so that the length tells nothing about a secret beside what a
    stranger could make the answer repeat (BREACH). Place it before all that look at the content.
    """

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        self._gzip = GZipMiddleware(get_response)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if not request.path_info.startswith(settings.API_PREFIX):
            return
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page and len(getattr(response, "content", b"")) <= LARGEST:
            asked = request.headers.get("Accept-Encoding", "")
            if "gzip" in asked and "gzip" not in accepted_encodings(asked):
                # Django's middleware would take the refusal for a wish.
                patch_vary_headers(response, ["Accept-Encoding"])
            else:
                self._gzip.process_response(request, response)
