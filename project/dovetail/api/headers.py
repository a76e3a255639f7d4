"""The headers that every answer of the API has."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from dovetail.api.throttles import ATTRIBUTE, rate_headers
from dovetail.http.middleware import Middleware

VARY = ("Authorization", "Cookie", "Accept")


class ApiHeadersMiddleware(Middleware):
    """Says of the answers below `API_PREFIX` who may keep them, and how many more there may be.

    Clients keep what has an `ETag`, and ask each time whether it still holds; nothing else is kept.
    A view may decide otherwise by its own `Cache-Control`. Place it before `ProblemMiddleware`.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if not request.path_info.startswith(settings.API_PREFIX):
            return
        kept = "no-cache" if "ETag" in response.headers else "no-store"
        response.headers.setdefault("Cache-Control", f"private, {kept}")
        patch_vary_headers(response, VARY)
        for name, value in rate_headers(getattr(request, ATTRIBUTE, ())).items():
            response.headers[name] = value
