"""Errors as RFC 9457 describes them: `application/problem+json`, for every error of the API.

    {
      "type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid",
      "detail": "The request has errors.",
      "errors": [{"pointer": "#/title", "code": "required", "detail": "This field is required."}]
    }

`pointer` is the place in the sent JSON (RFC 6901, as a URI fragment); for an error in the query
string, `parameter` names it instead, and for one in a header, `header`. `code` is stable, `detail`
is for people. An exception may have further `members`.

Own code because drf-standardized-errors has another format, and drf-problems is unmaintained.
"""

from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions, views
from rest_framework.fields import get_error_detail
from rest_framework.response import Response

from dovetail.api import statuses
from dovetail.api.faults import Fault, faults_of
from dovetail.api.renderers import JSONRenderer
from dovetail.http.middleware import Middleware
from dovetail.storable import UnstorableText

MEDIA_TYPE = "application/problem+json"
# What is said where no exception says it: of errors that Django answers before or after a view.
DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.FORBIDDEN: "You may not do this.",
    HTTPStatus.NOT_FOUND: "There is nothing here that you may see.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side. We have been told.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Try again in a moment.",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an exception, None for those that are faults of the server.

    For the setting `EXCEPTION_HANDLER` of REST framework.
    """
    if isinstance(error, UnstorableText):
        error = exceptions.ParseError("The request contains a value that cannot be stored.")
    elif isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(get_error_detail(error))
    response = views.exception_handler(error, context)
    if response is None:
        return None
    if request := context.get("request"):  # also where a view has answers in another format
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    response.data = problem_of(error, response.status_code)
    response.content_type = MEDIA_TYPE
    return response


def problem_of(error: Exception, status: int) -> dict[str, Any]:
    """Return the members of the problem that an exception is answered with."""
    detail, code = _told(error)
    members = problem(status, detail, code, list(faults_of(error)))
    return members | getattr(error, "members", {})


def problem(
    status: int, detail: str = "", code: str = "", faults: list[Fault] | None = None
) -> dict[str, Any]:
    """Return the members of a problem.

    Args:
        status: of the answer.
        detail: for people; by default, what fits the status.
        code: stable, for programs; by default, made from the status.
        faults: what is wrong with the request.
    """
    known = HTTPStatus(status)
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": statuses.phrase(status),
        "status": status,
        "code": code or statuses.code(status),
        "detail": detail or DETAILS.get(known, f"{known.description or statuses.phrase(status)}."),
    }
    if faults:
        members["errors"] = [fault.as_member() for fault in faults]
    return members


def _told(error: Exception) -> tuple[str, str]:
    """Return the detail and the code of an exception; empty ones leave them to its status."""
    if isinstance(error, Http404):
        return "", ""  # its text names classes
    if isinstance(error, PermissionDenied):
        return str(error), ""
    if isinstance(error, exceptions.ValidationError):
        return "The request has errors.", "invalid"
    if isinstance(error, exceptions.APIException) and isinstance(error.detail, str):
        return str(error.detail), str(getattr(error.detail, "code", ""))
    return "", ""


class ProblemMiddleware(Middleware):
    """Gives the errors of `API_PREFIX` that no view answers the same form.

    Such as unknown addresses, bodies that are too large, refused hosts, and faults of the server.
    Place it before whatever answers with a page.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return
        if not request.path_info.startswith(settings.API_PREFIX):
            return
        if response.streaming or response.headers.get("Content-Type") == MEDIA_TYPE:
            return
        content = orjson.dumps(problem(response.status_code))
        response.content = content  # type: ignore[attr-defined]
        response.headers["Content-Type"] = MEDIA_TYPE
        response.headers["Content-Length"] = str(len(content))
        for name in ("Content-Disposition", "ETag"):
            response.headers.pop(name, None)


class SlashMiddleware(Middleware):
    """Tells clients of `API_PREFIX` which address they have meant.

    Place it after what checks the host and HTTPS, and before `CommonMiddleware`: its redirect to
    the address with a slash would lose the body of a request.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        path = request.path_info
        if not path.startswith(settings.API_PREFIX) or path.endswith("/"):
            return None
        status = HTTPStatus.NOT_FOUND
        members = problem(status, "Every address of the API ends with a slash.", "no_slash")
        return HttpResponse(orjson.dumps(members), content_type=MEDIA_TYPE, status=status)
