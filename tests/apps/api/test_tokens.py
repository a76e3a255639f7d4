"""Access tokens by the API: no token gives away more than it has."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, SecurityEvent, User
from apps.users.security_log import Kind, record
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_member, make_token

pytestmark = pytest.mark.django_db

URL = "/api/v1/tokens/"
READS = ["articles:read", "comments:read"]


@pytest.fixture
def author() -> User:
    return make_member("ada@example.org", password=PASSWORD)


@pytest.fixture
def as_author(author: User) -> APIClient:
    """Return a client with a session that has proved who it is."""
    browser, client = Client(), APIClient()
    browser.force_login(author)
    reauthenticate(browser)
    client.cookies = browser.cookies
    return client


def using(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def body(**fields: Any) -> dict[str, Any]:
    expires_at = (timezone.now() + timedelta(days=7)).isoformat()
    return {"name": "Backup", "scopes": READS, "expires_at": expires_at} | fields


def test_token_is_shown_once_and_works(
    as_author: APIClient, author: User, mailoutbox: list[EmailMessage]
) -> None:
    answer = as_author.post(URL, body(scopes=["account:read", "account:read"]))

    assert answer.status_code == HTTPStatus.CREATED, answer.content
    assert answer["Cache-Control"] == "no-store"
    made = answer.json()
    text = made.pop("token")
    listed = using(text).get(URL)
    [row] = listed.json()["results"]
    assert row.pop("last_used_at")
    assert made.pop("last_used_at") is None
    assert row == made
    assert (row["name"], row["scopes"]) == ("Backup", ["account:read"])
    assert text.startswith(row["start"])
    assert text not in listed.text
    [message] = mailoutbox
    assert message.to == [author.email]
    assert "Backup" in str(message.body)
    assert text not in str(message.body)
    event = author.security_events.latest("id")
    assert (event.kind, event.detail) == (SecurityEvent.Kind.TOKEN_CREATED, "Backup")
    assert text not in str(PersonalAccessToken.objects.values())


def test_session_needs_a_recent_proof(author: User) -> None:
    token, _ = make_token(author)
    client = APIClient()
    client.force_login(author)

    for answer in (client.post(URL, body()), client.delete(f"{URL}{token.pk}/")):
        assert answer.status_code == HTTPStatus.FORBIDDEN
        assert answer.json()["code"] == "reauthentication_required"
    assert client.get(URL).status_code == HTTPStatus.OK
    assert PersonalAccessToken.objects.get() == token


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"name": ""}, "#/name", "blank"),
        ({"name": "x" * 81}, "#/name", "max_length"),
        ({"scopes": []}, "#/scopes", "empty"),
        ({"scopes": "articles:read"}, "#/scopes", "not_a_list"),
        ({"scopes": ["articles:read", "admin"]}, "#/scopes/1", "invalid_choice"),
        ({"scopes": [["articles:read"]]}, "#/scopes/0", "invalid_choice"),
        ({"scopes": READS * 9}, "#/scopes", "max_length"),
        ({"expires_at": None}, "#/expires_at", "null"),
        ({"expires_at": "tomorrow"}, "#/expires_at", "invalid"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at", "past"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, "#/expires_at", "too_late"),
        ({"token": "mine"}, "#/token", "unknown"),
        ({"start": "dvt_"}, "#/start", "read_only"),
    ],
)
def test_wrong_field_is_named(
    as_author: APIClient, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = as_author.post(URL, body(**fields))

    assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert not PersonalAccessToken.objects.exists()


def test_longest_life_is_a_year(as_author: APIClient) -> None:
    def made(days: float) -> int:
        expires_at = (timezone.now() + timedelta(days=days)).isoformat()
        return as_author.post(URL, body(expires_at=expires_at)).status_code

    assert made(365) == HTTPStatus.CREATED
    assert made(365.01) == HTTPStatus.BAD_REQUEST


def test_number_is_limited(as_author: APIClient, author: User, settings: Settings) -> None:
    settings.ACCESS_TOKENS_PER_PERSON = 2
    make_token()  # another person's
    for _ in range(2):
        token, _ = make_token(author)

    answer = as_author.post(URL, body())

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("#", "too_many")
    as_author.delete(f"{URL}{token.pk}/")
    assert as_author.post(URL, body()).status_code == HTTPStatus.CREATED


def test_each_person_sees_and_revokes_only_their_own(as_author: APIClient, author: User) -> None:
    mine, _ = make_token(author)
    other, text = make_token()

    assert [row["id"] for row in as_author.get(URL).json()["results"]] == [str(mine.pk)]
    assert as_author.delete(f"{URL}{other.pk}/").status_code == HTTPStatus.NOT_FOUND
    assert using(text).get(URL).status_code == HTTPStatus.OK


def test_revoked_token_opens_nothing(as_author: APIClient, author: User) -> None:
    token, text = make_token(author, name="Lost")
    assert using(text).get(URL).status_code == HTTPStatus.OK

    answer = as_author.delete(f"{URL}{token.pk}/")

    assert answer.status_code == HTTPStatus.NO_CONTENT
    assert using(text).get(URL).status_code == HTTPStatus.UNAUTHORIZED
    event = author.security_events.latest("id")
    assert (event.kind, event.detail) == (SecurityEvent.Kind.TOKEN_REVOKED, "Lost")


class TestByToken:
    def test_needs_the_scope(self, author: User) -> None:
        client = using(make_token(author, ["account:read", "articles:write"])[1])

        assert client.get(URL).status_code == HTTPStatus.OK
        assert client.post(URL, body()).json()["code"] == "insufficient_scope"
        mine = PersonalAccessToken.objects.get()
        assert client.delete(f"{URL}{mine.pk}/").json()["code"] == "insufficient_scope"

    def test_gives_no_other_scopes(self, author: User) -> None:
        scopes = ["account:write", "articles:read"]
        client = using(make_token(author, scopes)[1])

        refused = client.post(URL, body(scopes=["articles:read", "articles:write"]))
        given = client.post(URL, body(scopes=scopes))

        [fault] = refused.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("#/scopes", "not_granted")
        assert given.status_code == HTTPStatus.CREATED

    @pytest.mark.parametrize(("seconds", "code"), [(0, ""), (1, "too_late")])
    def test_gives_no_longer_life(
        self, author: User, mailoutbox: list[EmailMessage], seconds: int, code: str
    ) -> None:
        parent, text = make_token(author, ["account:write"])
        expires_at: datetime = parent.expires_at + timedelta(seconds=seconds)

        answer = using(text).post(
            URL, body(scopes=["account:write"], expires_at=expires_at.isoformat())
        )

        assert [fault["code"] for fault in answer.json().get("errors", [])] == ([code] * bool(code))
        assert len(mailoutbox) == (0 if code else 1)

    def test_ends_with_the_one_that_made_it(self, as_author: APIClient, author: User) -> None:
        """Kind: a stolen token is revoked, and the thief has made another one."""
        texts = [make_token(author, ["account:write"])[1]]
        wanted = body(scopes=["account:write"])
        for _ in range(2):
            made = using(texts[-1]).post(URL, wanted)
            texts.append(made.json()["token"])
        _, other = make_token(author)
        first = PersonalAccessToken.objects.get(parent=None, scopes=["account:write"])

        as_author.delete(f"{URL}{first.pk}/")

        statuses = [using(text).get(URL).status_code for text in [*texts, other]]
        assert statuses == [401, 401, 401, 200]
        assert author.security_events.filter(kind="token_revoked").count() == 3


def test_number_of_mails_about_new_tokens_is_limited(author: User) -> None:
    for _ in range(access_tokens.CREATED_PER_HOUR):
        record(Kind.TOKEN_CREATED, author)

    with pytest.raises(ValidationError, match="many tokens in the last hour"):
        access_tokens.create(
            author,
            name="One more",
            scopes=["articles:read"],
            expires_at=timezone.now() + timedelta(days=1),
        )
