"""Sets `request.turbo`, the status codes that Turbo expects after forms, and the messages."""

from http import HTTPStatus

from django.forms.forms import BaseForm
from django.forms.formsets import BaseFormSet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from dovetail.http.middleware import Middleware
from dovetail.turbo.messages import add_toasts, defer_messages
from dovetail.turbo.request import TurboRequest, current_request_id, turbo_of

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


def set_status(request: HttpRequest, response: HttpResponseBase) -> None:
    """Answer an invalid form with 422, and redirect after a valid one with 303.

    Django uses 200 and 301 or 302. Turbo shows a form's errors only if the status is 4xx or 5xx,
    and after PUT, PATCH or DELETE browsers follow a redirect other than 303 with the same method.
    """
    if request.method in SAFE_METHODS:
        return
    if response.status_code in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}:
        response.status_code = HTTPStatus.SEE_OTHER
    elif response.status_code == HTTPStatus.OK and (
        _shows_errors(response) or _would_be_discarded(request, response)
    ):
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY


def _would_be_discarded(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether Turbo would discard this response.

    After a form submission, it renders a page only if the status is not 2xx.
    """
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


class TurboMiddleware(Middleware):
    """Makes Django's responses work with Turbo. Place it after the MessageMiddleware."""

    def process_request(self, request: HttpRequest) -> None:
        turbo = request.turbo = TurboRequest(request)  # type: ignore[attr-defined]
        current_request_id.set(turbo.request_id)
        defer_messages(request, turbo)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        current_request_id.set(None)  # a thread of WSGI keeps it, and does other work afterwards
        set_status(request, response)
        add_toasts(request, response)
        if vary := turbo_of(request).vary:
            patch_vary_headers(response, sorted(vary))
