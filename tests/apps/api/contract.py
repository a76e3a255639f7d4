"""What the tests of the contract send: the schema of the app, its rows, and who asks.

Schemathesis calls the application in this process, by WSGI and with the middleware and the cookies
of production: a case then takes milliseconds, and is rolled back, so that each one finds the same
rows and fails again when it is repeated. What the server in front of it does is tested by
tests/production.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from uuid import UUID

import schemathesis
from django.conf import settings
from django.core.cache import cache as rates
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.middleware.csrf import get_token
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from schemathesis import Case, checks
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation, BaseSchema

from apps.users.models import DataExport, User
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_article, make_comment, make_member, make_token

ORIGIN = "https://localhost"  # the host for which the client of Schemathesis has cookies

AnyCase = Case[Any]


def _id(number: int) -> UUID:
    return UUID(f"01890000-0000-7000-8000-{number:012}")


# By the path before the parameter: the rows that there are, and one that does not exist.
NONE = _id(0)
PUBLISHED, DRAFT, DELETED, OTHERS = map(_id, range(10, 14))
OWN_COMMENT, OTHERS_COMMENT = map(_id, range(20, 22))
ADA, BOB = map(_id, range(30, 32))
READY, PENDING = map(_id, range(40, 42))
SPARE_TOKEN = _id(50)
IDS = {
    "articles": [PUBLISHED, DRAFT, DELETED, OTHERS, NONE],
    "comments": [OWN_COMMENT, OTHERS_COMMENT, NONE],
    "users": [ADA, BOB, NONE],
    "exports": [READY, PENDING, NONE],
    "tokens": [SPARE_TOKEN, NONE],
}
VERSIONS = ["*", '"stale"']

CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"with-security-parameters": False},  # the senders have their own
        "checks": {
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
            "positive_data_acceptance": {
                # A version or a key of another request fits the schema, too.
                "expected-statuses": ["2xx", "3xx", "401", "403", "404", "412", "422"]
            },
        },
    }
)


@cache
def contract() -> BaseSchema:
    """Return the schema of the app, with the ids and versions that there are."""
    return schemathesis.openapi.from_dict(_with_rows(_raw()), config=CONFIG)


def operations() -> list[APIOperation[Any, Any, Any, Any]]:
    return [found.ok() for found in contract().get_all_operations() if isinstance(found, Ok)]


@cache
def _choosable() -> BaseSchema:
    """Return the schema in which no member of a row is required."""
    raw = deepcopy(_raw())
    for name, component in raw["components"]["schemas"].items():
        if name not in {"Fault", "Problem"}:
            component.pop("required", None)
    return schemathesis.openapi.from_dict(raw, config=CONFIG)


@cache
def _raw() -> dict[str, Any]:
    raw = SchemaGenerator().get_schema(public=True)
    return json.loads(json.dumps(raw, default=str))  # type: ignore[no-any-return]


def _with_rows(raw: dict[str, Any]) -> dict[str, Any]:
    raw = deepcopy(raw)
    for name in ("If-Match", "If-Match-required", "If-None-Match"):
        schema = raw["components"]["parameters"][name]["schema"]
        raw["components"]["parameters"][name]["schema"] = {"anyOf": [{"enum": VERSIONS}, schema]}
    for path, item in raw["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("in") == "path":
                    kind = path.partition("/{")[0].rpartition("/")[2]
                    parameter["schema"]["enum"] = list(map(str, IDS[kind]))
    return raw


@dataclass
class Sender:
    """Who sends requests, by what every one of them has."""

    headers: dict[str, str]
    cookies: dict[str, str]


def make_rows() -> User:
    """Make the rows of `IDS`, and return who asks: the author of most of them."""
    ada = make_member("ada@example.org", id=ADA, password=PASSWORD, display_name="Ada Lovelace")
    bob = make_member("bob@example.org", id=BOB)
    published = make_article(ada, id=PUBLISHED)
    make_article(ada, id=DRAFT, published=False)
    make_article(ada, id=DELETED).delete(by=ada)
    others = make_article(bob, id=OTHERS, title="On glue")
    make_comment(others, ada, id=OWN_COMMENT)
    make_comment(published, bob, id=OTHERS_COMMENT)  # of which Ada is notified
    for pk, content in ((READY, {"profile": {}}), (PENDING, None)):
        DataExport.objects.create(id=pk, user=ada, content=content)
    # So long ago that another one can be requested.
    DataExport.objects.update(created_at=timezone.now() - timedelta(hours=2))
    make_token(ada, id=SPARE_TOKEN)
    return ada


def anonymous(_: User) -> Sender:
    return Sender({}, {})


def session(user: User) -> Sender:
    """Return a browser whose session has a recent proof of who it is, with its CSRF token."""
    browser = Client(headers={"origin": ORIGIN})
    browser.force_login(user)
    reauthenticate(browser)
    page = browser.get("/accounts/email/", secure=True)
    cookies = {name: cookie.value for name, cookie in browser.cookies.items()}
    return Sender({"Origin": ORIGIN, "X-CSRF-Token": get_token(page.wsgi_request)}, cookies)


def read_token(user: User) -> Sender:
    return _with_token(user, [scope for scope in settings.API_SCOPES if scope.endswith(":read")])


def write_token(user: User) -> Sender:
    return _with_token(user, list(settings.API_SCOPES))


def _with_token(user: User, scopes: list[str]) -> Sender:
    return _bearer(make_token(user, scopes)[1])


def jwt(user: User) -> Sender:
    body = {"email": user.email, "password": PASSWORD}
    answer = Client().post("/api/v1/auth/session/", body, "application/json", secure=True)
    return _bearer(answer.json()["access_token"])


def _bearer(token: str) -> Sender:
    return Sender({"Authorization": f"Bearer {token}"}, {})


SENDERS: dict[str, Callable[[User], Sender]] = {
    sender.__name__: sender for sender in (anonymous, session, read_token, write_token, jwt)
}


def schema_conformance(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Check the body; members that `fields` leaves out are not required.

    The schema requires them: types of clients would have only optional members otherwise, for the
    sake of a parameter that a client only sends if it knows what it leaves out.
    """
    if "fields" in case.query:
        _choosable()[case.operation.path][case.operation.method].validate_response(response)
    else:
        checks.response_schema_conformance(ctx, response, case)


def acceptance(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Check that what fits the schema is accepted, unless for a reason that it cannot state."""
    if response.status_code == HTTPStatus.BAD_REQUEST:
        problem = response.json()
        # Of a number, where members may be of any kind: those of the operations of a bulk request.
        is_too_large = problem["code"] == "parse_error" and "too large" in problem["detail"]
        if is_too_large or any(_is_unstated(fault) for fault in problem.get("errors", [])):
            return
    checks.positive_data_acceptance(ctx, response, case)


def _is_unstated(fault: dict[str, str]) -> bool:
    """Return whether a value was refused for a reason that the schema cannot express."""
    return (
        # A cursor is one that the list has given out; the last page depends on its size.
        fault.get("parameter") in {"cursor", "page"}
        # NUL, nothing but spaces, and times by now and by the token that is used.
        or fault["code"] in {"unstorable", "blank", "past", "too_late"}
        # Which members an operation has depends on its method.
        or fault.get("pointer", "").startswith("#/operations/")
    )


# Left out are `max_response_time`, which depends on the machine, `missing_required_header`, which
# knows no 428, and `ignored_auth` and `object_level_authorization`: test_rights.py asks every
# endpoint as every kind of person.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    schema_conformance,
    checks.negative_data_rejection,
    acceptance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.use_after_free,
    checks.ensure_resource_availability,
]


class Caller:
    """Sends cases as one of the senders, and counts them."""

    def __init__(self, sender: Sender) -> None:
        self.app = WSGIHandler()
        self.sender = sender
        self.count = 0
        self.failures: dict[tuple[str, str], str] = {}

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what happens to rows and rates."""
        rates.clear()
        with transaction.atomic():
            yield
            transaction.set_rollback(True)

    def kwargs(self) -> dict[str, Any]:
        """Return what `Case.call` needs to know."""
        return {
            "app": self.app,
            "base_url": ORIGIN,
            # The client does not decompress; tests/dovetail/api/test_compression.py tests that.
            "headers": {"Accept-Encoding": "identity", **self.sender.headers},
            "cookies": dict(self.sender.cookies),
        }

    def committed(self) -> None:
        """Count an answer, and do what is done when its transaction is committed."""
        self.count += 1
        while connection.run_on_commit:
            connection.run_on_commit.pop(0)[1]()

    def send(self, case: AnyCase) -> None:
        """Send a case, and check the answer. What it changes is undone."""
        with self.undone():
            response = case.call(**self.kwargs())
            self.committed()
        self.check(case, response)

    def check(self, case: AnyCase, response: Response, **kwargs: Any) -> None:
        """Keep what is wrong with an answer, with the first request for each kind."""
        try:
            case.validate_response(response, checks=CHECKS, **kwargs)
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = (type(failure).__name__, case.operation.label)
                self.failures.setdefault(kind, str(group))
