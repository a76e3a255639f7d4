"""Answers to visitors whose copy still holds: those of the view, at less cost."""

from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from apps.api.viewsets.articles import ArticleViewSet
from apps.users.models import User
from dovetail.api.deprecation import ATTRIBUTE, Deprecation
from tests.apps.api.conftest import api, as_author, author
from tests.factories import make_article, make_comment

__all__ = ["api", "as_author", "author"]
pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
HEADERS = ("ETag", "Cache-Control", "Vary")
MIDDLEWARE = "dovetail.api.unchanged.UnchangedMiddleware"


@pytest.fixture
def url() -> str:
    return f"{LIST}{make_article().pk}/"


@pytest.fixture
def etag(url: str, api: APIClient) -> str:
    return str(api.get(url)["ETag"])


def is_short(answer: Any) -> bool:
    """Return whether the view has not been asked: it counts each request."""
    return "RateLimit" not in answer


def set_of(answer: Any, name: str) -> set[str]:
    """Return the values of a header, whose order means nothing."""
    return set(answer[name].split(", "))


def test_view_is_not_set_up(
    api: APIClient, url: str, etag: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        answer = api.get(url, headers={"if-none-match": etag})

    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert answer["ETag"] == etag
    assert not answer.content
    assert is_short(answer)


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "{}, *"])
def test_headers_are_those_of_the_view(
    settings: Settings, url: str, etag: str, given: str, method: str
) -> None:
    headers = {"if-none-match": given.format(etag)}
    short = getattr(APIClient(), method)(url, headers=headers)
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    whole = getattr(APIClient(), method)(url, headers=headers)

    assert is_short(short)
    assert not is_short(whole)
    assert short.status_code == whole.status_code == HTTPStatus.NOT_MODIFIED
    assert [set_of(short, name) for name in HEADERS] == [set_of(whole, name) for name in HEADERS]


@pytest.mark.parametrize("given", ['"other"', "other", '"', "", "*"])
def test_changed_row_is_looked_up_by_the_view(
    api: APIClient, url: str, etag: str, given: str
) -> None:
    answer = api.get(url, headers={"if-none-match": given})

    assert answer.status_code == (HTTPStatus.NOT_MODIFIED if given == "*" else HTTPStatus.OK)
    assert answer["ETag"] == etag
    assert not is_short(answer)


def test_version_is_looked_up_once(api: APIClient) -> None:
    comment = make_comment(make_article())
    address = f"/api/v1/comments/{comment.pk}/"
    with CaptureQueriesContext(connection) as whole:
        api.get(address)
    with CaptureQueriesContext(connection) as queries:
        answer = api.get(address, headers={"if-none-match": '"other"'})

    assert answer.status_code == HTTPStatus.OK
    assert len(queries) == len(whole) + 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"accept": "text/html"}, HTTPStatus.NOT_ACCEPTABLE),
        ({"authorization": "Bearer none"}, HTTPStatus.UNAUTHORIZED),
        ({"authorization": "Basic Og=="}, HTTPStatus.NOT_MODIFIED),
        ({"cookie": "theme=dark"}, HTTPStatus.NOT_MODIFIED),
        ({"host": "other.example"}, HTTPStatus.BAD_REQUEST),
    ],
)
def test_what_only_the_view_knows_is_left_to_it(
    url: str, etag: str, headers: dict[str, str], status: HTTPStatus
) -> None:
    answer = APIClient().get(url, headers={"if-none-match": etag, **headers})

    assert answer.status_code == status
    assert (not is_short(answer)) == (status in {HTTPStatus.NOT_MODIFIED, HTTPStatus.UNAUTHORIZED})


@pytest.mark.parametrize("query", ["?none=1", "?fields=none", "?access_token=dvt_1"])
@pytest.mark.parametrize("any_version", [True, False])
def test_bad_parameters_are_refused(
    api: APIClient, url: str, etag: str, query: str, *, any_version: bool
) -> None:
    headers = {"if-none-match": "*" if any_version else etag}

    assert api.get(url + query, headers=headers).status_code == HTTPStatus.BAD_REQUEST


def test_each_form_has_its_own_version(api: APIClient, url: str, etag: str) -> None:
    form = f"{url}?fields=id"

    assert api.get(form, headers={"if-none-match": etag}).status_code == HTTPStatus.OK
    own = {"if-none-match": api.get(form)["ETag"]}
    assert is_short(api.get(form, headers=own))


def test_row_that_is_not_seen_does_not_exist(
    api: APIClient, as_author: APIClient, author: User
) -> None:
    """Kind: a short way to an answer, which leaves out who may have it."""
    draft = f"{LIST}{make_article(author, published=False).pk}/"
    etag = as_author.get(draft)["ETag"]

    answer = api.get(draft, headers={"if-none-match": etag})

    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "ETag" not in answer


def test_person_is_answered_by_the_view(as_author: APIClient, url: str, etag: str) -> None:
    answer = as_author.get(url, headers={"if-none-match": etag})

    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert not is_short(answer)


def test_view_that_does_more_is_asked(
    api: APIClient, url: str, etag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def retrieve(view: object, request: Request, pk: UUID) -> Response:
        del view, request, pk
        return Response(status=HTTPStatus.GONE)

    monkeypatch.setattr(ArticleViewSet, "retrieve", retrieve)

    answer = api.get(url, headers={"if-none-match": etag})

    assert answer.status_code == HTTPStatus.GONE


def test_deprecation_is_announced(
    api: APIClient, url: str, etag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArticleViewSet, ATTRIBUTE, Deprecation(date(2027, 1, 1)), raising=False)

    answer = api.get(url, headers={"if-none-match": etag})

    assert is_short(answer)
    assert answer["Deprecation"] == "@1798761600"


def test_other_addresses_are_left_alone(api: APIClient, etag: str) -> None:
    answers = [
        api.get(address, headers={"if-none-match": etag})
        for address in (LIST, "/api/v1/none/", "/api/v1/users/me/", "/", "/api/v1/articles/1/")
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 401, 200, 404]


@pytest.mark.django_db(transaction=True)
async def test_answers_under_asgi() -> None:
    article = await sync_to_async(make_article)()
    address, client = f"{LIST}{article.pk}/", AsyncClient()
    first = await client.get(address)

    answer = await client.get(address, headers={"if-none-match": first["ETag"]})

    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert is_short(answer)
