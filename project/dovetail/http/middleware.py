"""A base class for middleware that needs no thread hop under ASGI.

Own code because Django's `MiddlewareMixin` runs its hooks in a thread for each request.
"""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

MaybeAwaitable = HttpResponseBase | Awaitable[HttpResponseBase]


class Middleware:
    """Runs under WSGI and ASGI. Override the hooks that you need:

        class TeapotMiddleware(Middleware):
            def process_request(self, request):
                return HttpResponse(status=418) if request.path == "/coffee" else None

    `process_request` and `process_response` run on the event loop under ASGI, so they must not
    block. Where `process_request` does, override `aprocess_request` as well.
    """  # noqa: D415 - the example follows the first line

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], MaybeAwaitable]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return a response to skip the view, or None to continue."""

    async def aprocess_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Async counterpart of `process_request`, called under ASGI."""
        return self.process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """Modify the view's response."""

    def __call__(self, request: HttpRequest) -> MaybeAwaitable:
        if self.is_async:
            return self._respond(request)
        if (answer := self.process_request(request)) is not None:
            return answer
        response = cast("HttpResponseBase", self.get_response(request))
        self.process_response(request, response)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if (answer := await self.aprocess_request(request)) is not None:
            return answer
        response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        self.process_response(request, response)
        return response
