"""Attacks on the account pages: enumeration, races, open redirects, rate limits."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, confirm
from tests.dovetail.models.test_conflicts import while_another_commits
from tests.factories import make_user

LogIn = Callable[..., Client]


def sign_up(email: str, client: Client | None = None) -> tuple[int, str]:
    data = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    response = (client or Client()).post("/accounts/signup/", data)
    return response.status_code, response["Location"]


@pytest.mark.django_db
def test_failed_login_does_not_reveal_accounts(member: User, hashed: list[str]) -> None:
    answers = []
    for email in (member.email, "nobody@example.org"):
        hashed.clear()
        response = Client().post("/accounts/login/", {"login": email, "password": "wrong"})
        page = response.content.decode().replace(email, "")
        answers.append((response.status_code, len(hashed), "not correct" in page))

    assert answers == [(HTTPStatus.UNPROCESSABLE_ENTITY, 1, True)] * 2


@pytest.mark.django_db
def test_login_takes_as_long_without_a_usable_password(member: User, hashed: list[str]) -> None:
    member.set_unusable_password()
    member.save()
    hashed.clear()

    Client().post("/accounts/login/", {"login": member.email, "password": "wrong"})

    assert len(hashed) == 1


@pytest.mark.django_db
def test_signup_takes_as_long_for_existing_accounts(
    member: User, hashed: list[str], mailoutbox: list[EmailMessage]
) -> None:
    answers = []
    for email in (member.email, "new@example.org"):
        hashed.clear()
        answers.append((*sign_up(email), len(hashed)))

    assert answers[0] == answers[1]
    assert answers[0][2] == 1
    assert len(mailoutbox) == 2


@pytest.mark.django_db
def test_password_reset_responds_the_same_for_unknown_addresses(
    member: User, mailoutbox: list[EmailMessage]
) -> None:
    answers = set()
    for email in (member.email, "nobody@example.org"):
        response = Client().post("/accounts/password/reset/", {"email": email})
        answers.add((response.status_code, response["Location"]))

    assert len(answers) == 1
    assert len(mailoutbox) == 2


@pytest.mark.django_db(transaction=True)
def test_confirmations_in_two_tabs_create_one_account(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    """Kind: check, then write."""
    sign_up("ada@example.org", client)

    answer = while_another_commits(
        lambda: make_user("ada@example.org"),
        lambda: confirm(client, mailoutbox[0]),
    )

    assert answer["Location"] == "/accounts/login/"
    assert User.objects.count() == 1
    assert "has just been created" in client.get("/accounts/login/").content.decode()


OTHER_SITES = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "http:evil.example",
    r"\\evil.example",
    r"/\evil.example",
    "javascript:alert(1)",
    "https://localhost@evil.example/",
    "https://localhost.evil.example/",
    "\thttps://evil.example/",
]


@pytest.mark.django_db
@pytest.mark.parametrize("url", OTHER_SITES)
def test_next_never_redirects_to_another_site(client: Client, member: User, url: str) -> None:
    login = client.post(
        "/accounts/login/", {"login": member.email, "password": PASSWORD, "next": url}
    )
    reauthentication = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": url})
    logout = client.post("/accounts/logout/", {"next": url})

    for response in (login, reauthentication, logout):
        assert response["Location"].startswith("/")
        assert "evil" not in response["Location"]


@pytest.mark.django_db
def test_next_redirects_to_a_local_path(client: Client, member: User) -> None:
    data = {"login": member.email, "password": PASSWORD, "next": "/people/me/edit/"}

    assert client.post("/accounts/login/", data)["Location"] == "/people/me/edit/"


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost:8000@evil.example", "a b", ""])
def test_injected_host_sends_no_email(
    client: Client, member: User, mailoutbox: list[EmailMessage], host: str
) -> None:
    response = client.post(
        "/accounts/password/reset/", {"email": member.email}, headers={"host": host}
    )

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert not mailoutbox


@pytest.mark.django_db
def test_forwarded_host_header_is_ignored(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post(
        "/accounts/password/reset/",
        {"email": member.email},
        headers={"x-forwarded-host": "evil.example"},
    )

    assert "evil" not in str(mailoutbox[0].body)


@pytest.mark.django_db
def test_rate_limit_ignores_forged_forwarded_for() -> None:
    answers = set()
    for number in range(25):
        response = Client().post(
            "/accounts/signup/", {}, headers={"x-forwarded-for": f"203.0.113.{number}"}
        )
        answers.add(response.status_code)

    assert HTTPStatus.TOO_MANY_REQUESTS in answers


@pytest.mark.django_db
def test_rate_limit_counts_by_client_behind_a_trusted_proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    answers = set()
    for number in range(25):
        # The proxy appends the last entry. The client can forge those before it.
        forwarded = f"198.51.100.1, 203.0.113.{number}"
        response = Client().post("/accounts/signup/", {}, headers={"x-forwarded-for": forwarded})
        answers.add(response.status_code)

    assert HTTPStatus.TOO_MANY_REQUESTS not in answers


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("/accounts/login/", {"login": "x"}),
        ("/accounts/signup/", {"email": "x"}),
        ("/accounts/password/reset/", {"email": "nobody@example.org"}),
    ],
)
def test_entry_points_are_rate_limited(client: Client, url: str, data: dict[str, str]) -> None:
    answers = {client.post(url, data).status_code for _ in range(35)}

    assert HTTPStatus.TOO_MANY_REQUESTS in answers


@pytest.mark.django_db
def test_reauthentication_is_rate_limited(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    answers = {
        client.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code
        for _ in range(12)
    }

    assert HTTPStatus.TOO_MANY_REQUESTS in answers
