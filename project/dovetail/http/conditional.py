"""Answers a browser that has the same page already with 304, without the page.

Own code because Django's `ConditionalGetMiddleware` costs a thread hop, and hashes pages that
contain a token, too, which are never the same twice.
"""

from hashlib import blake2b
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

from dovetail.http.middleware import MaybeAwaitable, Middleware


def etag_of(content: bytes) -> str:
    """Return the entity tag of a page. It is weak, because proxies may compress the page."""
    return f'W/"{blake2b(content, digest_size=16).hexdigest()}"'


def is_page(response: HttpResponseBase) -> bool:
    """Return whether a response is an HTML page, as a whole and without an error."""
    return (
        isinstance(response, HttpResponse)
        and response.status_code == HTTPStatus.OK
        and response.headers.get("Content-Type", "").startswith("text/html")
    )


def names_in(response: HttpResponseBase, header: str) -> set[str]:
    """Return the names in a header of a response, such as "no-store" in `Cache-Control`."""
    items = response.headers.get(header, "").lower().split(",")
    return {item.partition("=")[0].strip() for item in items} - {""}


class ConditionalPagesMiddleware(Middleware):
    """Gives pages an `ETag`, and compares it with what the browser has (RFC 9110, section 13).

    Place it outside of what makes pages, and inside of what compresses them.
    """

    def __call__(self, request: HttpRequest) -> MaybeAwaitable:
        if self.is_async:
            return self._respond(request)
        return _compared(request, self.get_response(request))  # type: ignore[arg-type]

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        return _compared(request, await self.get_response(request))  # type: ignore[misc]


def _compared(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if request.method not in {"GET", "HEAD"} or not isinstance(response, HttpResponse):
        return response
    # A page that sets a cookie contains a token or a message, and is new each time.
    is_unique = response.cookies or "no-store" in names_in(response, "Cache-Control")
    if is_unique or not is_page(response):
        return response
    if "ETag" not in response.headers:
        response.headers["ETag"] = etag_of(response.content)
    if "HTTP_IF_NONE_MATCH" not in request.META:
        return response
    etag = response.headers["ETag"]
    return get_conditional_response(request, etag=etag, response=response) or response
