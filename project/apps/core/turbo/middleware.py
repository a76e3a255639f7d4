"""`request.turbo`, the status codes by which Turbo knows how a form went, and the messages."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.forms.forms import BaseForm
from django.forms.formsets import BaseFormSet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

from apps.core.turbo.messages import add_toasts, hold_back
from apps.core.turbo.request import TurboRequest, current_request_id, turbo_of

MaybeAwaitable = HttpResponseBase | Awaitable[HttpResponseBase]
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


def prepare(request: HttpRequest) -> None:
    turbo = request.turbo = TurboRequest(request)  # type: ignore[attr-defined]
    current_request_id.set(turbo.request_id)
    hold_back(request, turbo)


def finish(request: HttpRequest, response: HttpResponseBase) -> None:
    set_status(request, response)
    add_toasts(request, response)
    if vary := turbo_of(request).vary:
        patch_vary_headers(response, sorted(vary))


def set_status(request: HttpRequest, response: HttpResponseBase) -> None:
    """Answer an invalid form with 422 and redirect a valid one with 303.

    Django answers 200 and 301 or 302. Turbo shows a form's errors only from a 4xx, and what is not
    303 would be followed with the same method after PUT, PATCH or DELETE.
    """
    if request.method in SAFE_METHODS:
        return
    if response.status_code in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}:
        response.status_code = HTTPStatus.SEE_OTHER
    elif response.status_code == HTTPStatus.OK and (
        _shows_errors(response) or _would_be_lost(request, response)
    ):
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY


def _would_be_lost(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether Turbo would throw the page away: after a form it shows only what is no 2xx."""
    is_page = response.get("Content-Type", "").startswith("text/html")
    turbo = turbo_of(request)
    return is_page and turbo.request_id is not None and turbo.frame is None


def _shows_errors(response: HttpResponseBase) -> bool:
    context = getattr(response, "context_data", None) or {}
    return any(
        value.is_bound and not value.is_valid()
        for value in context.values()
        if isinstance(value, BaseForm | BaseFormSet)
    )


@sync_and_async_middleware
def TurboMiddleware(  # noqa: N802 - named as Django names middleware
    get_response: Callable[[HttpRequest], MaybeAwaitable],
) -> Callable[[HttpRequest], MaybeAwaitable]:
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            prepare(request)
            response = await cast("Awaitable[HttpResponseBase]", get_response(request))
            finish(request, response)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        prepare(request)
        response = cast("HttpResponseBase", get_response(request))
        finish(request, response)
        return response

    return synchronous
