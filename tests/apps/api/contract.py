"""What the tests of the contract send, and how they check the answers.

Schemathesis calls the application in the process of the tests, by WSGI and with the middleware and
the cookies of production: a case then takes milliseconds, and is rolled back, so that each one
finds the same rows and fails again when it is repeated. tests/production/test_contract.py sends
cases over HTTP, to the server as it is deployed.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from http import HTTPStatus
from typing import Any

import schemathesis
from django.core.cache import cache as rates
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings as fuzzing, strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.jsonschema import make_validator
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation, BaseSchema

from tests.apps.api.senders import ADDRESS, IDS, ORIGIN, Sender

AnyCase = Case[Any]


MODES = list(GenerationMode)
# NUL, nothing but spaces, times by now and by the token that is used, and a wrong password.
UNSTATED = {
    *("unstorable", "null_characters_not_allowed", "blank", "past", "too_late"),
    "email_password_mismatch",
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
def systematic_cases() -> list[AnyCase]:
    """Return, for each operation, cases at and beyond each limit that the schema states."""
    schema = contract()
    return [
        case
        for operation in operations()
        for case in schema.iter_coverage_cases(
            operation, generation_modes=MODES, generation_config=schema.config.generation
        )
    ]


@cache
def random_cases() -> st.SearchStrategy[AnyCase]:
    return st.one_of(
        [one.as_strategy(generation_mode=mode) for one in operations() for mode in MODES]
    )


def settings_for(examples: int) -> fuzzing:
    return fuzzing(max_examples=examples, suppress_health_check=list(HealthCheck))


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


def schema_conformance(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Check the body; members that `fields` leaves out are not required.

    The schema requires them: types of clients would have only optional members otherwise, for the
    sake of a parameter that a client only sends if it knows what it leaves out.
    """
    if "fields" in case.query:
        _choosable()[case.operation.path][case.operation.method].validate_response(response)
    else:
        checks.response_schema_conformance(ctx, response, case)


def rejection(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Check that what does not fit the schema is refused, unless only for spaces around a text.

    The app removes those before it measures a text, as Django's forms do.
    """
    if case.meta and {
        location for location, part in case.meta.components.items() if part.mode.is_negative
    } == {ParameterLocation.BODY}:
        trimmed = _trimmed(case.body)
        if trimmed != case.body and _fits(case, trimmed):
            return
    checks.negative_data_rejection(ctx, response, case)


def _fits(case: AnyCase, body: Any) -> bool:
    declared = case.operation.get_body_for_media_type(case.media_type)
    adapter = contract().adapter  # type: ignore[attr-defined]
    validator = make_validator(declared.optimized_schema, adapter.jsonschema_validator_cls)
    return bool(validator.is_valid(body))


def _trimmed(value: Any) -> Any:
    match value:
        case str():
            return value.strip()
        case list():
            return [_trimmed(one) for one in value]
        case dict():
            return {name: _trimmed(one) for name, one in value.items()}
    return value


def acceptance(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Check that what fits the schema is accepted, unless for a reason that it cannot state."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and response.json()["code"] == "flood":
        return  # a scenario has requested an export before
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
        or fault["code"] in UNSTATED
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
    rejection,
    acceptance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.use_after_free,
    checks.ensure_resource_availability,
]


class Caller(ABC):
    """Sends cases as one of the senders, and counts the answers by their status."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.statuses: Counter[int] = Counter()
        self.failures: dict[tuple[str, str], str] = {}

    @abstractmethod
    def send(self, case: AnyCase) -> None:
        """Send a case, and check the answer. What it changes is undone."""

    def check(self, case: AnyCase, response: Response, **kwargs: Any) -> None:
        """Keep what is wrong with an answer, with the first request for each kind."""
        self.statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS, **kwargs)
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = (type(failure).__name__, case.operation.label)
                self.failures.setdefault(kind, str(group))

    def assert_conformance(self, least: int) -> None:
        """Fail if an answer was wrong, or if there were fewer than `least`."""
        assert not self.failures, "\n\n".join(self.failures.values())
        assert self.statuses.total() >= least


class InProcess(Caller):
    """Calls the application in this process, in the transaction of a test."""

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.app = WSGIHandler()

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
            # Without an address, who is not signed in is refused by every endpoint with a rate.
            "environ_overrides": {"REMOTE_ADDR": ADDRESS},
            # The client does not decompress; tests/dovetail/api/test_compression.py tests that.
            "headers": {"Accept-Encoding": "identity", **self.sender.headers},
            "cookies": dict(self.sender.cookies),
        }

    def committed(self) -> None:
        """Do what is done when the transaction of a request is committed."""
        while connection.run_on_commit:
            connection.run_on_commit.pop(0)[1]()

    def send(self, case: AnyCase) -> None:
        with self.undone():
            response = case.call(**self.kwargs())
            self.committed()
        self.check(case, response)
