"""How many requests someone may send, and what they are told about it."""

import logging
import re
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.api.viewsets.articles import ArticleViewSet
from apps.users.models import User
from dovetail.api import throttles
from dovetail.cache.valkey import ValkeyCache
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
SMALL = {
    "read": {"person": 4, "token": 3, "address": 2},
    "write": {"person": 3, "token": 2, "address": 1},
    "search": {"person": 1, "token": 1, "address": 1},
    "auth": {"person": 2, "token": 2, "address": 2},
}


@pytest.fixture
def small(settings: Settings) -> None:
    settings.API_RATES = SMALL


def statuses(client: APIClient, times: int, **request: Any) -> list[int]:
    return [client.get(LIST, **request).status_code for _ in range(times)]


@pytest.mark.usefixtures("small")
def test_one_too_many_is_refused_and_told_when_to_come_back(api: APIClient) -> None:
    assert statuses(api, 2) == [200, 200]
    answer = api.get(LIST)

    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["RateLimit-Policy"] == '"read-address";q=2;w=60'
    wait = int(answer["Retry-After"])
    assert 0 < wait <= 60
    assert answer["RateLimit"] == f'"read-address";r=0;t={wait}'
    assert answer.json() == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "code": "throttled",
        "detail": f"There were too many requests. Try again in {wait} seconds.",
        "violated-policies": ["read-address"],
    }


def test_every_answer_says_what_is_left(
    as_author: APIClient, api: APIClient, author: User, settings: Settings
) -> None:
    article = make_article(author)
    draft = make_article(published=False)
    detail = f"{LIST}{article.pk}/"
    etag = {"if-none-match": as_author.get(detail)["ETag"]}
    answers = [
        as_author.get(detail),
        as_author.get(detail, headers=etag),
        as_author.get(f"{LIST}{draft.pk}/"),
        as_author.get(f"{LIST}?none=1"),
        as_author.patch(detail, {"title": "New"}),
        as_author.patch(detail, {"title": "New"}, headers={"if-match": '"old"'}),
        as_author.delete(LIST),
        as_author.post(LIST, "[", content_type="application/json"),
        api.post(LIST, {}),
        api.get("/api/v1/schema/"),
    ]

    assert [answer.status_code for answer in answers] == [
        *(200, 304, 404, 400, 428, 412, 405, 400, 401, 200),
    ]
    read, write = (settings.API_RATES[scope]["person"] for scope in ("read", "write"))
    for answer, left in zip(answers[:4], range(read - 2, read - 6, -1), strict=True):
        assert answer["RateLimit"].startswith(f'"read-person";r={left};t=')
    for answer, left in zip(answers[4:8], range(write - 1, write - 5, -1), strict=True):
        assert answer["RateLimit"].startswith(f'"write-person";r={left};t=')
    assert answers[8]["RateLimit"].startswith('"write-address";r=29;')
    assert answers[9]["RateLimit"].startswith('"read-address";r=119;')


@pytest.mark.usefixtures("small")
def test_scopes_are_counted_separately(as_author: APIClient) -> None:
    assert statuses(as_author, 5) == [200] * 4 + [429]

    answer = as_author.post(LIST, {"title": "New", "body": "Text"})

    assert answer.status_code == HTTPStatus.CREATED


@pytest.mark.usefixtures("small")
def test_view_names_its_scope(as_author: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArticleViewSet, "throttle_scope", "search")

    assert statuses(as_author, 2) == [200, 429]


@pytest.mark.usefixtures("small")
def test_people_do_not_use_up_the_limits_of_others(api: APIClient, as_author: APIClient) -> None:
    other = APIClient()
    other.force_login(make_user())

    assert statuses(api, 3) == [200, 200, 429]
    assert statuses(as_author, 5) == [200] * 4 + [429]
    assert statuses(other, 4) == [200] * 4


@pytest.mark.usefixtures("small")
def test_each_token_has_a_limit_and_all_of_a_person_another(author: User) -> None:
    """Kind: more tokens, more requests."""
    clients = APIClient(), APIClient()
    for client, name in zip(clients, "ab", strict=True):
        token: Any = Group.objects.create(name=name)  # a row, as tokens are
        client.force_authenticate(author, token=token)
    first, second = clients

    answer = first.get(LIST)
    assert answer["RateLimit-Policy"] == '"read-token";q=3;w=60, "read-person";q=4;w=60'
    told = re.sub(r"t=\d+", "t=", answer["RateLimit"])
    assert told == '"read-token";r=2;t=, "read-person";r=3;t='
    assert statuses(first, 3) == [200, 200, 429]
    assert statuses(second, 2) == [200, 429]
    assert second.get(LIST).json()["violated-policies"] == ["read-person"]


@pytest.mark.usefixtures("small")
def test_addresses_of_one_network_count_together(api: APIClient) -> None:
    assert statuses(api, 1, REMOTE_ADDR="2001:db8::1") == [200]
    assert statuses(api, 2, REMOTE_ADDR="2001:db8::2") == [200, 429]
    assert statuses(api, 1, REMOTE_ADDR="2001:db8:0:1::1") == [200]


@pytest.mark.usefixtures("small")
def test_forged_address_is_no_way_around(api: APIClient) -> None:
    forged = [
        api.get(LIST, headers={"x-forwarded-for": f"192.0.2.{number}"}).status_code
        for number in range(3)
    ]
    assert forged == [200, 200, 429]


@pytest.mark.usefixtures("small")
def test_failed_proofs_of_who_one_is_are_counted(author: User) -> None:
    """Kind: tokens that are tried out, which no permission would ever see."""
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(author)
    answers = [client.post(LIST, {}) for _ in range(3)]  # without the CSRF token

    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert answers[2].json()["violated-policies"] == ["auth-address"]
    assert statuses(client, 1) == [200]


@pytest.mark.usefixtures("small")
def test_requests_without_permission_are_counted(api: APIClient) -> None:
    assert [api.post(LIST, {}).status_code for _ in range(2)] == [401, 429]


@pytest.mark.usefixtures("small")
def test_unavailable_cache_limits_nothing_and_is_logged_once(
    api: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    down = ValkeyCache("redis://127.0.0.1:1/0", {})  # a port on which no server listens
    monkeypatch.setattr(throttles, "outage", throttles.Outage())
    monkeypatch.setattr(caches["default"], "run_script", down.run_script)

    with caplog.at_level(logging.WARNING, "dovetail.api.throttles"):
        answers = [api.get(LIST) for _ in range(4)]
        monkeypatch.setattr(throttles.outage, "_next", 0)  # a minute later
        answers.append(api.get(LIST))

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    assert answers[0]["RateLimit-Policy"] == '"read-address";q=2;w=60'
    assert "RateLimit" not in answers[0].headers
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all("the API's limits are not applied" in message for message in messages)
