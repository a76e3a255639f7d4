"""What an attacker tries at the doors, and learns nothing by."""

import threading
from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD

LogIn = Callable[..., Client]


def sign_up(email: str) -> tuple[int, str]:
    data = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    response = Client().post("/accounts/signup/", data)
    return response.status_code, response["Location"]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the passwords that were hashed, which is what takes the time of an answer."""
    passwords: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(self: MD5PasswordHasher, password: str, salt: str) -> str:
        passwords.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    return passwords


@pytest.mark.django_db
def test_a_login_takes_as_long_for_nobody(member: User, hashed: list[str]) -> None:
    answers = []
    for email in (member.email, "nobody@example.org"):
        hashed.clear()
        response = Client().post("/accounts/login/", {"login": email, "password": "wrong"})
        page = response.content.decode().replace(email, "")
        answers.append((response.status_code, len(hashed), "not correct" in page))

    assert answers == [(HTTPStatus.UNPROCESSABLE_ENTITY, 1, True)] * 2


@pytest.mark.django_db
def test_a_login_takes_as_long_for_who_has_no_password(member: User, hashed: list[str]) -> None:
    member.set_unusable_password()
    member.save()
    hashed.clear()

    Client().post("/accounts/login/", {"login": member.email, "password": "wrong"})

    assert len(hashed) == 1


@pytest.mark.django_db
def test_a_sign_up_takes_as_long_for_who_is_here(
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
def test_a_reset_answers_alike(member: User, mailoutbox: list[EmailMessage]) -> None:
    answers = set()
    for email in (member.email, "nobody@example.org"):
        response = Client().post("/accounts/password/reset/", {"email": email})
        answers.add((response.status_code, response["Location"]))

    assert len(answers) == 1
    assert len(mailoutbox) == 2


@pytest.mark.django_db(transaction=True)
def test_two_sign_ups_at_once_make_one_account() -> None:
    barrier = threading.Barrier(2, timeout=10)
    answers: list[tuple[int, str]] = []
    save = User.save

    def meet_and_save(self: User, **options: object) -> None:
        if self._state.adding:
            barrier.wait()  # both have found the address free
        save(self, **options)  # type: ignore[arg-type]

    def run() -> None:
        try:
            answers.append(sign_up("ada@example.org"))
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(User, "save", meet_and_save)
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert answers == [(HTTPStatus.SEE_OTHER, "/accounts/confirm-email/")] * 2
    assert User.objects.count() == 1


ELSEWHERE = [
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
@pytest.mark.parametrize("url", ELSEWHERE)
def test_nothing_leads_to_another_site(client: Client, member: User, url: str) -> None:
    login = client.post(
        "/accounts/login/", {"login": member.email, "password": PASSWORD, "next": url}
    )
    proof = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": url})
    logout = client.post("/accounts/logout/", {"next": url})

    for response in (login, proof, logout):
        assert response["Location"].startswith("/")
        assert "evil" not in response["Location"]


@pytest.mark.django_db
def test_a_path_of_ours_is_followed(client: Client, member: User) -> None:
    data = {"login": member.email, "password": PASSWORD, "next": "/people/me/edit/"}

    assert client.post("/accounts/login/", data)["Location"] == "/people/me/edit/"


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost:8000@evil.example", "a b", ""])
def test_no_mail_leads_to_a_host_that_was_injected(
    client: Client, member: User, mailoutbox: list[EmailMessage], host: str
) -> None:
    response = client.post(
        "/accounts/password/reset/", {"email": member.email}, headers={"host": host}
    )

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert not mailoutbox


@pytest.mark.django_db
def test_a_forwarded_host_is_not_believed(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post(
        "/accounts/password/reset/",
        {"email": member.email},
        headers={"x-forwarded-host": "evil.example"},
    )

    assert "evil" not in str(mailoutbox[0].body)


@pytest.mark.django_db
def test_the_address_that_a_stranger_claims_does_not_count() -> None:
    answers = set()
    for number in range(25):
        response = Client().post(
            "/accounts/signup/", {}, headers={"x-forwarded-for": f"203.0.113.{number}"}
        )
        answers.add(response.status_code)

    assert HTTPStatus.TOO_MANY_REQUESTS in answers


@pytest.mark.django_db
def test_behind_our_proxy_everybody_counts_on_their_own(settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answers = set()
    for number in range(25):
        # The last entry is the proxy's; what stands before it the client may have written.
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
def test_every_door_is_limited(client: Client, url: str, data: dict[str, str]) -> None:
    answers = {client.post(url, data).status_code for _ in range(35)}

    assert HTTPStatus.TOO_MANY_REQUESTS in answers


@pytest.mark.django_db
def test_the_limit_of_proofs_counts_too(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    answers = {
        client.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code
        for _ in range(12)
    }

    assert HTTPStatus.TOO_MANY_REQUESTS in answers
