"""Error pages for requests whose bodies were refused: by `dovetail.http.bodies` or by Django."""

from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from dovetail.http.bodies import REFUSED
from dovetail.http.environ import scope_of
from dovetail.http.middleware import Middleware


class RefusedBodyMiddleware(Middleware):
    """Responds to requests whose bodies were refused. Place it before what reads the body."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        status: HTTPStatus | None = (scope_of(request) or {}).get(REFUSED)
        return error_page(status) if status else None


def error_page(status: HTTPStatus) -> HttpResponse:
    """Render the template that is named after a status, without the request."""
    return HttpResponse(
        render_to_string(f"{status.value}.html"),
        status=status,
        headers={"Cache-Control": "no-store"},
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Render 400.html, or 413.html for what is too large rather than malformed (`handler400`)."""
    if isinstance(exception, RequestDataTooBig):
        return error_page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return defaults.bad_request(request, exception)
