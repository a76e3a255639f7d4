"""The pages of access tokens."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, User
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]
LIST = "/people/me/tokens/"
NEW = f"{LIST}new/"
FIELDS: dict[str, Any] = {
    "name": "Backup script",
    "scopes": ["articles:read", "comments:read"],
    "expires_at": "7",
}


@pytest.fixture
def proved(client: Client, member: User, log_in: LogIn) -> Client:
    log_in(member)
    reauthenticate(client)
    return client


def test_token_is_shown_once_and_mailed_about(
    proved: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    mailoutbox.clear()

    answer = proved.post(NEW, FIELDS)

    token, text = answer.context["token"], answer.context["text"]
    assert answer.status_code == HTTPStatus.OK
    assert "no-store" in answer["Cache-Control"]
    assert '<meta name="turbo-cache-control" content="no-cache">' in answer.text
    assert answer.text.count(text) == 2  # to read, and to copy
    assert access_tokens.find(text) == token
    assert token.user == member
    assert token.scopes == FIELDS["scopes"]
    assert abs(token.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
    page = proved.get(LIST).text
    assert "Backup script" in page
    assert token.start in page
    assert text not in page
    assert text not in str(dict(proved.session))
    [message] = mailoutbox
    assert message.subject == "New access token for your account"
    for part in (str(message.body), str(message.alternatives[0].content)):  # type: ignore[attr-defined]
        assert "Backup script" in part
        assert "articles:read, comments:read" in part
        assert "change your password right away" in part
        assert text not in part
    assert "Access token created: Backup script" in proved.get("/people/me/activity/").text


def test_form_asks_for_a_proof_and_keeps_what_was_typed(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)
    assert client.get(NEW)["Location"].startswith("/accounts/reauthenticate/")

    asked = client.post(NEW, FIELDS)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not PersonalAccessToken.objects.exists()
    page = client.post(asked["Location"], {"password": PASSWORD})

    assert PersonalAccessToken.objects.get().name == "Backup script"
    assert page.context["text"] in page.text


def test_revocation_asks_for_a_proof(client: Client, member: User, log_in: LogIn) -> None:
    token, text = make_token(member)
    log_in(member)

    asked = client.post(f"{LIST}{token.pk}/revocation/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert access_tokens.find(text)
    client.post(asked["Location"], {"password": PASSWORD})

    assert access_tokens.find(text) is None


def test_revoked_token_is_gone(proved: Client, member: User) -> None:
    token, text = make_token(member, name="Lost")

    page = proved.post(f"{LIST}{token.pk}/revocation/", follow=True)

    assert page.redirect_chain == [(LIST, HTTPStatus.SEE_OTHER)]
    assert "The token “Lost” has been revoked." in page.text
    assert "You have no tokens." in page.text
    assert access_tokens.find(text) is None
    assert "Access token revoked: Lost" in proved.get("/people/me/activity/").text


def test_tokens_of_others_do_not_exist(proved: Client) -> None:
    token, text = make_token(name="Another's")

    assert proved.post(f"{LIST}{token.pk}/revocation/").status_code == HTTPStatus.NOT_FOUND
    assert access_tokens.find(text)
    assert "Another" not in proved.get(LIST).text


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"expires_at": ""}, "expires_at"),
        ({"expires_at": "366"}, "expires_at"),
        ({"expires_at": "-1"}, "expires_at"),
        ({"expires_at": "\N{ARABIC-INDIC DIGIT SEVEN}"}, "expires_at"),
    ],
)
def test_wrong_form_is_shown_again(proved: Client, fields: dict[str, Any], name: str) -> None:
    answer = proved.post(NEW, FIELDS | fields)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.context["form"].errors.keys() == {name}
    assert not PersonalAccessToken.objects.exists()


def test_number_is_limited(proved: Client, member: User, settings: Settings) -> None:
    settings.ACCESS_TOKENS_PER_PERSON = 1
    make_token(member)

    answer = proved.post(NEW, FIELDS)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "You have 1 tokens, which is the limit." in answer.text
    assert 'value="Backup script"' in answer.text


def test_permissions_have_the_names_that_the_list_and_the_api_use(
    proved: Client, settings: Settings
) -> None:
    page = proved.get(NEW).text

    for name, told in settings.API_SCOPES.items():
        assert f"{told} <code" in page
        assert f">{name}</code>" in page


def test_choices_of_life_keep_to_the_setting(proved: Client, settings: Settings) -> None:
    def choices() -> list[str]:
        field = proved.get(NEW).context["form"].fields["expires_at"]
        return [label for _, label in field.choices]

    assert choices() == ["1 day", "7 days", "30 days", "90 days", "365 days"]
    settings.ACCESS_TOKEN_LIFETIME = timedelta(days=7)
    assert choices() == ["1 day", "7 days"]
    assert proved.post(NEW, FIELDS | {"expires_at": "30"}).status_code == 422


def test_list_takes_as_many_queries_for_any_number(
    proved: Client, member: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for days in (-1, 1, 2):
        make_token(member, expires_at=timezone.now() + timedelta(days=days))

    with django_assert_max_num_queries(5):
        page = proved.get(LIST).text

    assert page.count("Never used") == 3
    assert page.count("Expired") == 1
