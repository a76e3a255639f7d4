"""Rules that hold for every URL, those of tomorrow included (ASVS 3.4.2, 3.5.1, 3.5.3)."""

from http import HTTPStatus

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.users.models import User
from config.settings.parts.api import API_RATES
from tests.config.test_headers import missing_headers
from tests.config.test_hostile_text import UUID, all_urls
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

MORE = pytest.mark.long("visits every URL again, with another method")
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
# What is recorded about a session, whatever page it visits.
OF_SESSIONS = ('"django_session"', '"usersessions_usersession"')


# Of a URL that only reads, and of those of the API that know no sessions, or take no forms.
NOT_FOR_PAGES = {
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


@pytest.fixture(autouse=True)
def _allow_any_queries(settings: Settings) -> None:
    settings.API_RATES = {scope: dict.fromkeys(rates, 10_000) for scope, rates in API_RATES.items()}
    settings.ZEAL_RAISE = False  # a query too many is not what is looked for
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]


@pytest.fixture
def person() -> User:
    """Return a superuser, and make the rows that the URLs name."""
    person = make_user("ada@example.org", pk=UUID, is_staff=True, is_superuser=True)
    make_article(title="text", author=person).publish()
    return person


@pytest.mark.parametrize(
    "method",
    ["post", *(pytest.param(method, marks=MORE) for method in ("put", "patch", "delete"))],
)
def test_no_url_takes_a_request_of_another_site(person: User, method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)

    answers = {url: getattr(client, method)(url).status_code for url in all_urls()}

    accepted = {
        url: status
        for url, status in answers.items()
        if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} | NOT_FOR_PAGES
    }
    assert accepted == {}
    assert list(answers.values()).count(HTTPStatus.FORBIDDEN) > len(answers) / 2


def writes(queries: CaptureQueriesContext) -> list[str]:
    """Return the queries that change a row, other than those of sessions."""
    return [
        query["sql"]
        for query in queries
        if query["sql"].startswith(WRITES) and not any(t in query["sql"] for t in OF_SESSIONS)
    ]


def test_reading_a_page_changes_nothing(person: User) -> None:
    """And whatever answers, has the headers of security."""
    client = Client()
    changes, without, pages = {}, {}, 0
    for url in all_urls():
        if SESSION_KEY not in client.session:  # the last page may have led out of it
            client.force_login(person)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(url)
        pages += answer.status_code == HTTPStatus.OK
        without[url] = missing_headers(answer)
        changes[url] = writes(queries)
        if changes[url]:  # what a first visit makes is made once
            with CaptureQueriesContext(connection) as queries:
                client.get(url)
            changes[url] = writes(queries)

    assert {url: sql for url, sql in changes.items() if sql} == {}
    assert {url: names for url, names in without.items() if names} == {}
    assert pages > 20


@pytest.mark.parametrize("method", ["options", pytest.param("get", marks=MORE)])
def test_no_answer_is_shared_with_other_origins(person: User, method: str) -> None:
    client = Client()
    client.force_login(person)
    for url in all_urls():
        answer = getattr(client, method)(url, headers={"origin": "https://evil.example"})
        assert missing_headers(answer) == [], url
        shared = [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert not shared, url
