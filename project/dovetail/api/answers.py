"""What answers have in common, as components of the schema: problems and headers.

Examples are made by the code that answers requests, so that they cannot differ from it.
"""

from collections.abc import Callable
from typing import Any

from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import exceptions

from dovetail.api.etags import PreconditionFailed, PreconditionRequired
from dovetail.api.faults import BadInput, Fault
from dovetail.api.idempotency import InProgress, KeyReused
from dovetail.api.problems import MEDIA_TYPE, problem, problem_of
from dovetail.api.throttles import Quota, QuotaExceeded
from dovetail.cache.windows import Count

STRING = {"type": "string"}
FAULT = {
    "type": "object",
    "description": "One of the things that are wrong with a request.",
    "properties": {
        "pointer": {
            **STRING,
            "description": "Where it is in the sent JSON: a JSON pointer (RFC 6901) as a fragment.",
        },
        "parameter": {
            **STRING,
            "description": "The parameter of the query string, if it is there.",
        },
        "header": {**STRING, "description": "The header, if it is there."},
        "code": {**STRING, "description": "Stable, for programs."},
        "detail": {**STRING, "description": "For people."},
    },
    "required": ["code", "detail"],
}
PROBLEM = {
    "type": "object",
    "description": "Why a request was not carried out (RFC 9457).",
    "properties": {
        "type": {**STRING, "format": "uri-reference"},
        "title": {**STRING, "description": "The name of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {**STRING, "description": "Stable, for programs."},
        "detail": {**STRING, "description": "For people."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
    "required": ["type", "title", "status", "code", "detail"],
}
SCHEMAS = {"Fault": FAULT, "Problem": PROBLEM}

HEADERS: dict[str, Any] = {
    "ETag": {
        "description": "The version of the row. Send it in `If-None-Match` or `If-Match`.",
        "schema": STRING,
    },
    "Link": {
        "description": "The next and the previous page (RFC 8288), unless there is none.",
        "schema": STRING,
    },
    "Location": {
        "description": "Where the new row is.",
        "schema": {**STRING, "format": "uri"},
    },
    "RateLimit": {
        "description": "How many requests are left, and the seconds until there are more.",
        "schema": STRING,
    },
    "RateLimit-Policy": {
        "description": "How many requests are allowed in how many seconds.",
        "schema": STRING,
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to say who you are.",
        "schema": STRING,
    },
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of what you have: if it is still current, the answer is 304.",
        "schema": STRING,
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what you read, or `*`: if it has changed since, the answer is "
        "412.",
        "schema": STRING,
    },
    "If-Match-required": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag of what you read, or `*`: if it has changed since, the answer is "
        "412. Without it, the answer is 428.",
        "schema": STRING,
    },
}


def _bad_request() -> Exception:
    return BadInput(Fault("Is unknown. Known here: expand, fields.", "unknown", parameter="none"))


def _too_many() -> Exception:
    return QuotaExceeded([Quota("read-token", 300, "", Count(used=301, seconds=12))])


# By status: the name of the component, what it is for, and an exception that is answered so; None
# for what no view answers.
PROBLEMS: dict[int, tuple[str, str, Callable[[], Exception] | None]] = {
    400: ("BadRequest", "The request is wrong; `errors` says where.", _bad_request),
    401: (
        "Unauthorized",
        "You are not signed in, or your token is not valid.",
        exceptions.NotAuthenticated,
    ),
    403: ("Forbidden", "You may not do this.", exceptions.PermissionDenied),
    404: ("NotFound", "It does not exist, or you may not see it.", None),
    406: ("NotAcceptable", "`Accept` names no type that can be sent.", exceptions.NotAcceptable),
    408: ("RequestTimeout", "The body arrived too slowly.", None),
    409: ("Conflict", "A request with this `Idempotency-Key` is being carried out.", InProgress),
    412: ("PreconditionFailed", "It has changed since you read it.", PreconditionFailed),
    413: ("ContentTooLarge", "The body is too large.", None),
    415: (
        "UnsupportedMediaType",
        "The body has a format that is not taken here.",
        lambda: exceptions.UnsupportedMediaType("text/plain"),
    ),
    422: ("UnprocessableContent", "This `Idempotency-Key` belongs to another request.", KeyReused),
    428: ("PreconditionRequired", "The request has no `If-Match`.", PreconditionRequired),
    429: ("TooManyRequests", "There were too many requests; try again later.", _too_many),
    500: ("InternalServerError", "Something went wrong on our side.", None),
    503: ("ServiceUnavailable", "Try again in a moment.", None),
}
PROBLEM_HEADERS = {401: ["WWW-Authenticate"], 409: ["Retry-After"], 429: ["Retry-After"]}


class Components:
    """Registers components when an operation first refers to them."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry

    def header(self, name: str) -> dict[str, str]:
        return self._refer(ResolvedComponent.HEADER, name, HEADERS[name])

    def parameter(self, name: str) -> dict[str, str]:
        return self._refer(ResolvedComponent.PARAMETER, name, PARAMETERS[name])

    def problem(self, status: int) -> dict[str, str]:
        for name, schema in SCHEMAS.items():
            self._refer(ResolvedComponent.SCHEMA, name, schema)
        name, description, raised = PROBLEMS[status]
        answer: dict[str, Any] = {"description": description}
        if headers := PROBLEM_HEADERS.get(status):
            answer["headers"] = {header: self.header(header) for header in headers}
        answer["content"] = {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": problem_of(raised(), status) if raised else problem(status),
            }
        }
        return self._refer(ResolvedComponent.RESPONSE, name, answer)

    def _refer(self, kind: str, name: str, schema: dict[str, Any]) -> dict[str, str]:
        component = ResolvedComponent(name, kind, schema, object=f"{kind}/{name}")
        self.registry.register_on_missing(component)
        return {"$ref": f"#/components/{kind}/{name}"}
