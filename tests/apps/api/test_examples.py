"""Every example of docs/openapi.yaml: the app takes the requests, and gives such answers."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from unittest.mock import Mock

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.api import examples
from apps.articles.models import Article, Comment
from apps.users.models import DataExport, User
from dovetail.api import idempotency
from dovetail.api.answers import PROBLEMS
from dovetail.api.problems import ProblemMiddleware
from tests.apps.test_files import picture
from tests.apps.users.conftest import add_totp, reauthenticate, recovery_codes
from tests.factories import make_article, make_comment, make_member, make_token, make_user
from tests.repository import api_schema

pytestmark = pytest.mark.django_db

SCHEMA = api_schema()
PASSWORD = examples.SIGN_IN["password"]
LIST = "/api/v1/articles/"
SIGN_IN = "/api/v1/auth/session/"
BY_SERVER = (408, 413, 500, 503)
# What tells a row of one kind from another, so that an example must have it right.
TELLING = {"status", "kind", "category"}


class Example(NamedTuple):
    """What an operation is sent, and what it answers; either may be missing."""

    operation: str
    method: str
    path: str
    body: Any
    answers: dict[str, Any]


def values(content: dict[str, Any]) -> list[Any]:
    return [
        each["value"] for kind in content.values() for each in kind.get("examples", {}).values()
    ]


def found() -> Iterator[Example]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            bodies = values(operation.get("requestBody", {}).get("content", {}))
            answers = {
                status: value
                for status, answer in operation["responses"].items()
                for value in values(answer.get("content", {}))
            }
            if bodies or answers:
                for body in bodies or [None]:
                    yield Example(operation["operationId"], method, path, body, answers)


def responses(example: Example) -> dict[str, Any]:
    answers: dict[str, Any] = SCHEMA["paths"][example.path][example.method]["responses"]
    return answers


def validate(example: Example, status: str, value: Any) -> None:
    [content] = responses(example)[status]["content"].values()
    validator = Draft202012Validator(
        {**content["schema"], "components": SCHEMA["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)] == []


def assert_alike(example: Any, real: Any, place: str = "#") -> None:
    """Compare the members of an example with those of an answer."""
    if isinstance(example, dict) and isinstance(real, dict):
        assert example.keys() == real.keys(), place
        for name, value in example.items():
            if name in TELLING and isinstance(value, str | int):
                assert value == real[name], f"{place}/{name}"
            assert_alike(value, real[name], f"{place}/{name}")
    elif isinstance(example, list) and isinstance(real, list):
        assert bool(example) == bool(real), place
        for index, (one, other) in enumerate(zip(example, real, strict=False)):
            assert_alike(one, other, f"{place}/{index}")


COVER: dict[str, Any] = {
    "cover": "covers/4f9d2a7c.webp",
    "cover_variants": {"file": "covers/4f9d2a7c.webp", "made": {"card": 800}},
}


class World:
    """The rows that the examples are about, and those who send the requests."""

    def __init__(self) -> None:
        self.author = make_member(
            "ada@example.org", password=PASSWORD, pk=examples.ADA, display_name="Ada Lovelace"
        )
        self.article = make_article(self.author, pk=examples.ARTICLE_ID, **COVER)
        make_article(self.author, pk=examples.OTHER_ID, **COVER)
        self.comment = Comment(pk=examples.COMMENT_ID, article=self.article, author=self.author)
        self.comment.save()
        make_comment(self.article)  # of which the author is notified
        self.export = DataExport.objects.create(user=self.author, pk=examples.EXPORT_ID)

    def prepare(self, operation: str) -> None:
        """Bring the rows into the state that the operation is for."""
        if operation in {"articleTrash", "articleRestoration"}:
            self.article.delete(by=self.author)
        elif operation == "exportCreate":
            self.export.delete()

    def client(self, operation: str) -> APIClient:
        """Return the client of an app, or one of the author."""
        client = APIClient()
        if operation == "exportCreate":  # for which a token is not enough
            browser = Client()
            browser.force_login(self.author)
            reauthenticate(browser)
            client.cookies = browser.cookies
        elif not operation.startswith("app"):
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(self.author)[1]}")
        return client

    def url(self, path: str) -> str:
        rows = {"comments": self.comment, "users": self.author}
        row = self.export if "exports" in path else rows.get(path.split("/")[3], self.article)
        return re.sub(r"{\w+}", str(row.pk), path)

    def real(self, value: Any) -> Any:
        """Return a body with what only the app can give out, and what depends on the time."""
        if isinstance(value, list):
            return [self.real(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {name: self.given_out(name, value) or self.real(value[name]) for name in value}

    def given_out(self, name: str, row: dict[str, Any]) -> str:
        if name == "if_match":
            client = self.client("articleRetrieve")
            return str(client.get(f"/api/v1/articles/{row['id']}/")["ETag"])
        if name == "expires_at":
            return (timezone.now() + timedelta(days=7)).isoformat()
        if name == "code":
            return recovery_codes(self.author)[0]
        if name in {"refresh_token", "sign_in_token"}:
            if name == "sign_in_token":
                add_totp(self.author)
            return str(APIClient().post(SIGN_IN, examples.SIGN_IN).json()[name])
        return ""


@pytest.mark.parametrize("example", list(found()), ids=lambda example: example.operation)
def test_example_is_true(example: Example) -> None:
    world = World()
    client, body = world.client(example.operation), world.real(example.body)
    world.prepare(example.operation)
    query = "?q=wood" if example.operation == "articleSearchRetrieve" else ""
    more: dict[str, Any] = {"format": "json"}
    if example.operation in {"articleCoverReplace", "avatarReplace"}:
        body = {"cover" if "cover" in example.path else "avatar": picture()}
        more["format"] = "multipart"

    answer = getattr(client, example.method)(
        world.url(example.path) + query, body, headers={"if-match": "*"}, **more
    )

    status = str(answer.status_code)
    assert status in {"200", "201", "204"} & responses(example).keys(), answer.content
    if example.answers:
        validate(example, status, answer.json())
        validate(example, status, example.answers[status])
        assert_alike(example.answers[status], answer.json())


def test_example_of_a_second_factor_is_true() -> None:
    add_totp(World().author)

    answer = APIClient().post(SIGN_IN, examples.SIGN_IN)

    [example] = [each for each in found() if each.operation == "appSessionCreate"]
    assert answer.status_code == HTTPStatus.ACCEPTED
    validate(example, "202", example.answers["202"])
    assert_alike(example.answers["202"], answer.json())


def test_example_of_failed_operations_is_true() -> None:
    world, operation = World(), "articleBulk"
    body = world.real(examples.BULK | {"atomic": True})
    body["operations"][2]["if_match"] = examples.ETAG

    answer = world.client(operation).post(f"{LIST}bulk/", body)

    [example] = [each for each in found() if each.operation == operation]
    assert answer.json() == example.answers[str(answer.status_code)]
    validate(example, "422", answer.json())
    assert Article.objects.count() == 2


def test_main_operations_have_examples() -> None:
    """Kind: another decorator hides them."""
    sent = {example.operation for example in found() if example.body}
    answered = {example.operation for example in found() if example.answers}
    assert {
        *("articleCreate", "articleUpdate", "articlePartialUpdate", "articleBulk"),
        *("articleCommentCreate", "commentPartialUpdate", "mePartialUpdate", "accessTokenCreate"),
        *("appSessionCreate", "appSessionSecondFactor", "appSessionRefresh"),
    } == sent
    with_body = {
        operation["operationId"]
        for methods in SCHEMA["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status < "300" and "content" in answer
    }
    assert with_body - answered == {"exportContent"}


def provoked(status: int, author: User, settings: Settings) -> Any:
    """Return the answer to a request that fails with this status."""
    article, text = make_article(author), make_token(author)[1]
    one, client, other = f"{LIST}{article.pk}/", APIClient(), APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    other.force_login(make_user())

    def with_key(body: dict[str, str]) -> Any:
        return client.post(LIST, body, headers={"idempotency-key": "one"})

    def in_progress() -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(idempotency, "_lock", Mock(side_effect=idempotency.InProgress))
            return with_key(examples.NEW_ARTICLE)

    def too_many() -> Any:
        settings.API_RATES = {"read": {"person": 300, "token": 1, "address": 1}}
        return [client.get(LIST) for _ in range(2)][-1]

    requests: dict[int, Callable[[], Any]] = {
        400: lambda: client.get(f"{one}?none=1"),
        401: lambda: APIClient().get(f"{LIST}trash/"),
        403: lambda: other.delete(one),
        404: lambda: client.get(f"{LIST}01890000-0000-7000-8000-000000000000/"),
        406: lambda: client.get(LIST, headers={"accept": "text/plain"}),
        409: in_progress,
        412: lambda: client.delete(one, headers={"if-match": '"old"'}),
        415: lambda: client.post(LIST, "x", content_type="text/plain"),
        422: lambda: [with_key(examples.NEW_ARTICLE), with_key({"title": "Another"})][-1],
        428: lambda: client.delete(one),
        429: too_many,
    }
    return requests[status]()


def problem(status: int) -> dict[str, Any]:
    answer = SCHEMA["components"]["responses"][PROBLEMS[status][0]]
    example: dict[str, Any] = answer["content"]["application/problem+json"]["example"]
    validator = Draft202012Validator(
        {"$ref": "#/components/schemas/Problem", "components": SCHEMA["components"]}
    )
    validator.validate(example)
    return example


@pytest.mark.parametrize("status", [status for status in PROBLEMS if status not in BY_SERVER])
def test_example_of_a_problem_is_true(status: int, author: User, settings: Settings) -> None:
    answer = provoked(status, author, settings)

    assert answer.status_code == status
    wait = re.compile(r"\d+ second")
    members = {**answer.json(), "detail": wait.sub("12 second", answer.json()["detail"])}
    assert members == problem(status)


@pytest.mark.parametrize("status", BY_SERVER)
def test_example_of_a_problem_of_the_server_is_true(status: int) -> None:
    """Kind: what middleware, the server and its limits answer."""
    middleware = ProblemMiddleware(lambda _: HttpResponse("Plain", status=status))

    answer = cast("HttpResponse", middleware(RequestFactory().get(LIST)))

    assert json.loads(answer.content) == problem(status)
