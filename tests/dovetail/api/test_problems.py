"""Every error of the API has one form, whoever answers it."""

from http import HTTPStatus
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework import exceptions
from rest_framework.test import APIClient

from apps.api.viewsets.articles import ArticleViewSet
from dovetail.api.problems import exception_handler
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"


def assert_is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    members: dict[str, Any] = answer.json()
    assert members["status"] == status
    assert members["title"] == HTTPStatus(status).phrase
    assert {"type", "title", "status", "code", "detail"} <= set(members)
    assert "Traceback" not in answer.text
    return members


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/none/", "/api/v2/", f"{LIST}x/", "/api/v1/\0/", "/api/v1/articles"]
)
def test_unknown_address(path: str) -> None:
    answer = Client().get(path)
    if answer.status_code == HTTPStatus.MOVED_PERMANENTLY:  # a slash is missing
        assert path == "/api/v1/articles"
        return
    assert_is_problem(answer, 404)


def test_what_does_not_exist_is_not_named() -> None:
    draft = make_article(published=False)
    hidden = assert_is_problem(APIClient().get(f"{LIST}{draft.pk}/"), 404)
    missing = APIClient().get(f"{LIST}01890000-0000-7000-8000-000000000000/")
    assert assert_is_problem(missing, 404) == hidden
    assert "Article" not in hidden["detail"]


def test_method_and_formats() -> None:
    client = APIClient()
    client.force_login(make_user())

    answer = client.delete(LIST)
    assert_is_problem(answer, 405)
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert_is_problem(client.get(LIST, headers={"accept": "application/xml"}), 406)
    assert_is_problem(client.post(LIST, "a=b", content_type="text/plain"), 415)
    assert_is_problem(client.post(LIST, {"a": "b"}, format="multipart"), 415)


def test_anonymous_change_is_asked_for_a_sign_in() -> None:
    answer = APIClient().post(LIST, {"title": "New", "body": "Text"})
    members = assert_is_problem(answer, 401)
    assert members["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", "{"])
def test_body_that_is_no_object(body: str) -> None:
    client = APIClient()
    client.force_login(make_user())
    assert_is_problem(client.post(LIST, body, content_type="application/json"), 400)


def test_refused_host() -> None:
    assert_is_problem(Client().get(LIST, headers={"host": "evil.example"}), 400)


def test_fault_of_the_server(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def fail(view: object) -> None:
        raise RuntimeError(f"secret {view}")

    monkeypatch.setattr(ArticleViewSet, "get_queryset", fail)
    for debug in (False, True):
        settings.DEBUG = debug
        answer = Client(raise_request_exception=False).get(LIST)
        assert "secret" not in str(assert_is_problem(answer, 500))


def test_page_of_the_site_stays_a_page() -> None:
    answer = Client().get("/none/")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer["Content-Type"].startswith("text/html")


def test_faults_are_named_by_their_place() -> None:
    error = exceptions.ValidationError(
        {
            "title": ["Too long.", "Too odd."],
            "rows": [{}, {"name": [exceptions.ErrorDetail("Missing.", "required")]}],
            "non_field_errors": ["They contradict each other."],
        }
    )
    answer = exception_handler(error, {})
    assert answer
    assert answer.data["errors"] == [
        {"pointer": "#/title", "code": "invalid", "detail": "Too long."},
        {"pointer": "#/title", "code": "invalid", "detail": "Too odd."},
        {"pointer": "#/rows/1/name", "code": "required", "detail": "Missing."},
        {"pointer": "#", "code": "invalid", "detail": "They contradict each other."},
    ]


def test_fault_that_a_model_finds_is_named_too() -> None:
    answer = exception_handler(ValidationError({"slug": "Is taken."}), {})
    assert answer
    assert answer.data["errors"] == [
        {"pointer": "#/slug", "code": "invalid", "detail": "Is taken."}
    ]


def test_throttled_request_is_told_when_to_come_back() -> None:
    answer = exception_handler(exceptions.Throttled(wait=30), {})
    assert answer
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.headers["Retry-After"] == "30"
