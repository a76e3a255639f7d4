"""Attacks on the limits of guesses: from many addresses, by other spellings, with others' cookies.

The requests come from a new IP address each, so that only limits per account are left.
"""

import itertools
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import signing
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from apps.users import devices
from apps.users.models import User
from tests.apps.users.conftest import (
    PASSWORD,
    add_totp,
    link_in,
    recovery_codes,
    totp_code,
)
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LIMIT = 5  # guesses in five minutes, in GUESS_LIMITS
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def addresses() -> Iterator[str]:
    """Return an endless supply of IP addresses."""
    return (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), repeat=3))


@pytest.fixture
def guess(addresses: Iterator[str], member: User) -> Callable[..., bool]:
    """Return a function that tries a password from a new address, and returns whether it works."""

    def guess(
        password: str = "wrong",  # noqa: S107 - it is
        *,
        browser: Client | None = None,
        login: str = member.email,
        **headers: Any,
    ) -> bool:
        response = (browser or Client()).post(
            LOGIN, {"login": login, "password": password}, REMOTE_ADDR=next(addresses), **headers
        )
        return response.status_code == HTTPStatus.SEE_OTHER

    return guess


Guess = Callable[..., bool]


def known_browser(user: User) -> Client:
    """Return a browser in which the person has signed in before, and has signed out."""
    browser = Client()
    browser.post(LOGIN, {"login": user.email, "password": PASSWORD})
    browser.post("/accounts/logout/")
    return browser


def copy_of(browser: Client) -> Client:
    """Return a browser with nothing but the device cookie of another."""
    copy = Client()
    copy.cookies["device"] = browser.cookies["device"].value
    return copy


def use_up(guess: Guess, **options: Any) -> None:
    for _ in range(LIMIT):
        assert not guess(**options)


def test_guesses_from_many_addresses_are_limited(guess: Guess) -> None:
    use_up(guess)

    assert not guess(PASSWORD)


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_HOST": "testserver:1"},
        {"HTTP_HOST": "TestServer"},
        {"HTTP_HOST": "testserver."},
        {"HTTP_HOST": "localhost:8000"},
        {"HTTP_X_FORWARDED_HOST": "other.example"},
        {"HTTP_X_FORWARDED_FOR": "203.0.113.7"},
        {"HTTP_FORWARDED": "for=203.0.113.7;host=other.example"},
        {"HTTP_X_REAL_IP": "203.0.113.7"},
        {"HTTP_USER_AGENT": "other"},
        {"SERVER_NAME": "localhost", "SERVER_PORT": "81"},
    ],
)
def test_no_header_gives_more_guesses(guess: Guess, headers: dict[str, str]) -> None:
    """Kind: the key of a limit contains something that the client chooses."""
    use_up(guess)

    assert not guess(PASSWORD, **headers)


@pytest.mark.parametrize("login", ["ADA@EXAMPLE.ORG", " ada@example.org ", "second@example.org"])
def test_no_spelling_of_the_login_gives_more_guesses(
    guess: Guess, member: User, login: str
) -> None:
    EmailAddress.objects.create(user=member, email="second@example.org", verified=True)
    use_up(guess)

    assert not guess(PASSWORD, login=login)


def test_limit_does_not_reveal_which_addresses_belong_together(
    guess: Guess, member: User, addresses: Iterator[str]
) -> None:
    EmailAddress.objects.create(user=member, email="second@example.org", verified=True)
    use_up(guess)
    pages = []
    for login in ("second@example.org", "nobody@example.org"):
        data = {"login": login, "password": "wrong"}
        page = Client().post(LOGIN, data, REMOTE_ADDR=next(addresses)).content.decode()
        pages.append((page.replace(login, ""), "not correct" in page))

    assert [told for _, told in pages] == [True, True]


def test_owner_signs_in_with_a_known_browser_during_an_attack(guess: Guess, member: User) -> None:
    """Kind: a limit per account that anyone can use to lock its owner out."""
    browser = known_browser(member)
    for _ in range(3 * LIMIT):
        guess()

    assert not guess(PASSWORD)
    assert guess(PASSWORD, browser=browser)


def test_guesses_with_a_known_browser_are_limited(guess: Guess, member: User) -> None:
    browser = known_browser(member)
    use_up(guess, browser=browser)

    assert not guess(PASSWORD, browser=browser)
    assert guess(PASSWORD), "it locks the owner out elsewhere"


def test_copies_of_a_cookie_share_one_limit(guess: Guess, member: User) -> None:
    browser = known_browser(member)
    for _ in range(LIMIT):
        assert not guess(browser=copy_of(browser))

    assert not guess(PASSWORD, browser=copy_of(browser))


def test_cookie_of_another_account_gives_no_guesses(guess: Guess) -> None:
    attacker = make_user("eve@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=attacker, email=attacker.email, verified=True, primary=True)
    browser = known_browser(attacker)
    use_up(guess)

    assert not guess(PASSWORD, browser=browser)


def test_signing_in_to_an_own_account_renews_no_stolen_cookie(guess: Guess, member: User) -> None:
    """Kind: a cookie of several accounts, of which each can get a new limit for all."""
    attacker = make_user("eve@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=attacker, email=attacker.email, verified=True, primary=True)
    stolen = copy_of(known_browser(member))
    for _ in range(LIMIT):
        assert not guess(browser=stolen)
        assert guess(PASSWORD, browser=stolen, login=attacker.email)
        stolen = copy_of(stolen)

    assert not guess(PASSWORD, browser=stolen)
    assert not guess(PASSWORD, browser=copy_of(stolen))


def test_many_known_browsers_have_a_common_limit(guess: Guess, member: User) -> None:
    """Kind: someone who once had the password and collected cookies for the time after."""
    browsers = []
    for _ in range(8):
        cache.clear()  # the logins would be too many for one address
        browsers.append(known_browser(member))
    cache.clear()
    tried = sum(1 for browser in browsers for _ in range(LIMIT) if not guess(browser=browser))
    assert tried == 8 * LIMIT

    fresh = browsers[-1]
    assert not guess(PASSWORD, browser=fresh)
    assert guess(PASSWORD), "strangers' guesses have a limit of their own"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "x:y:z",
        signing.dumps(["a" * 32], salt="apps.users.devices"),
        signing.dumps({"browser": "x", "users": []}, salt="other"),
        signing.dumps({"browser": "x", "users": []}, key="other", salt="apps.users.devices"),
        "\u00e9" * 10_000,
    ],
    # Signatures depend on the time, and each worker of pytest must see the same names.
    ids=["empty", "text", "parts", "list", "salt", "key", "long"],
)
def test_forged_cookie_gives_no_guesses(guess: Guess, value: str) -> None:
    browser = Client()
    browser.cookies["device"] = value
    use_up(guess)

    assert not guess(PASSWORD, browser=browser)


def test_password_reset_works_during_an_attack(
    guess: Guess, member: User, mailoutbox: list[EmailMessage], addresses: Iterator[str]
) -> None:
    """Kind: the owner has no known browser, and an attacker uses up the limit all the time."""
    use_up(guess)
    owner = Client(REMOTE_ADDR=next(addresses))
    owner.post("/accounts/password/reset/", {"email": member.email})
    form = owner.get(link_in(mailoutbox[-1]), follow=True).redirect_chain[-1][0]
    new = {"password1": "another-joint-of-oak-31", "password2": "another-joint-of-oak-31"}
    assert owner.post(form, new).status_code == HTTPStatus.SEE_OTHER
    use_up(guess)

    assert guess("another-joint-of-oak-31", browser=owner)
    assert not guess("another-joint-of-oak-31")


def test_password_reset_works_in_the_browser_of_an_open_session(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post(LOGIN, {"login": member.email, "password": PASSWORD})
    client.post("/accounts/password/reset/", {"email": member.email})
    form = client.get(link_in(mailoutbox[-1]), follow=True).redirect_chain[-1][0]
    new = {"password1": "another-joint-of-oak-31", "password2": "another-joint-of-oak-31"}

    assert client.post(form, new).status_code == HTTPStatus.SEE_OTHER


def test_right_password_does_not_reset_the_limit(guess: Guess, member: User) -> None:
    browser = known_browser(member)
    for _ in range(LIMIT - 1):
        assert not guess()
    assert guess(PASSWORD, browser=browser)
    assert not guess()

    assert not guess(PASSWORD)


# Other secrets than the password


@pytest.fixture
def stranger(member: User, addresses: Iterator[str]) -> Callable[[], Client]:
    """Return a function that returns a browser whose user knows the password, but has no code."""
    add_totp(member)

    def stranger() -> Client:
        browser = Client(REMOTE_ADDR=next(addresses))
        browser.post(LOGIN, {"login": member.email, "password": PASSWORD})
        return browser

    return stranger


def enter(browser: Client, code: str) -> bool:
    response = browser.post("/accounts/2fa/authenticate/", {"code": code})
    return response.status_code == HTTPStatus.SEE_OTHER


def test_codes_of_a_second_factor_are_limited_per_account(
    stranger: Callable[[], Client], member: User
) -> None:
    for _ in range(LIMIT):
        assert not enter(stranger(), "000000")

    assert not enter(stranger(), recovery_codes(member)[0])


def test_owner_enters_a_code_with_a_known_browser_during_an_attack(
    stranger: Callable[[], Client], member: User
) -> None:
    owner = stranger()
    codes = recovery_codes(member)
    assert enter(owner, codes[0])
    owner.post("/accounts/2fa/trust/", {"action": "skip"})
    owner.post("/accounts/logout/")
    for _ in range(LIMIT):
        assert not enter(stranger(), "000000")
    assert not enter(stranger(), codes[1])

    owner.post(LOGIN, {"login": member.email, "password": PASSWORD})
    assert enter(owner, codes[1])


def test_right_code_of_an_own_account_resets_no_limit() -> None:
    """Kind: a success that clears the count of failures of one IP address."""
    attacker = make_user("eve@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=attacker, email=attacker.email, verified=True, primary=True)
    add_totp(attacker)
    one = "192.0.2.66"
    own = Client(REMOTE_ADDR=one)
    own.post(LOGIN, {"login": attacker.email, "password": PASSWORD})
    for number in range(9):
        data = {"login": f"victim{number}@example.org", "password": "wrong"}
        assert "Too many" not in Client().post(LOGIN, data, REMOTE_ADDR=one).content.decode()
    assert enter(own, recovery_codes(attacker)[0])

    answers = []
    for number in range(9):
        data = {"login": f"other{number}@example.org", "password": "wrong"}
        answers.append(Client().post(LOGIN, data, REMOTE_ADDR=one).content.decode())
    assert "Too many" in answers[-1]


@pytest.mark.parametrize(
    ("url", "field"),
    [("/accounts/reauthenticate/", "password"), ("/accounts/password/change/", "oldpassword")],
)
def test_password_of_an_open_session_is_limited_with_that_of_logins(
    guess: Guess, client: Client, member: User, url: str, field: str
) -> None:
    client.force_login(member)
    new = {"password1": "another-joint-of-oak-31", "password2": "another-joint-of-oak-31"}
    for _ in range(LIMIT):
        assert client.post(url, {field: "wrong"} | new).status_code != HTTPStatus.SEE_OTHER
    assert client.post(url, {field: PASSWORD} | new).status_code != HTTPStatus.SEE_OTHER

    assert not guess(PASSWORD)
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_codes_in_an_open_session_are_limited_per_account(
    client: Client, member: User, addresses: Iterator[str]
) -> None:
    client.force_login(member)
    add_totp(member)
    for _ in range(LIMIT):
        client.post("/accounts/2fa/reauthenticate/", {"code": "000000"})
    other = Client(REMOTE_ADDR=next(addresses))
    other.force_login(member)
    response = other.post("/accounts/2fa/reauthenticate/", {"code": totp_code()})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_counters_name_nothing_of_the_request_but_the_address(member: User) -> None:
    """Every limit of the account pages, with two sets of headers: their keys are the same."""
    add_totp(member)
    posts = [
        (LOGIN, {"login": member.email, "password": "wrong"}),
        (LOGIN, {"login": member.email, "password": PASSWORD}),
        ("/accounts/2fa/authenticate/", {"code": "000000"}),
        ("/accounts/signup/", {"email": "new@example.org", "password1": PASSWORD}),
        ("/accounts/password/reset/", {"email": member.email}),
        ("/accounts/password/reset/key/1-set-password/", {"password1": PASSWORD}),
        ("/accounts/2fa/webauthn/login/", {"credential": "{}"}),
    ]
    signed_in = [
        ("/accounts/reauthenticate/", {"password": "wrong"}),
        ("/accounts/2fa/reauthenticate/", {"code": "000000"}),
        ("/accounts/password/change/", {"oldpassword": "wrong"}),
        ("/accounts/email/", {"action_add": "", "email": "more@example.org"}),
        ("/accounts/reauthenticate/code/", {"recipient": member.email}),
    ]
    noise = {
        "host": "localhost:81",
        "user-agent": "other",
        "accept-language": "de",
        "referer": "http://localhost:81/x",
        "origin": "http://localhost:81",
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-host": "evil.example",
        "x-real-ip": "203.0.113.9",
        "forwarded": "for=203.0.113.9",
    }
    keys = []
    for headers in ({}, noise):
        cache.clear()
        browser = Client(headers=headers)
        for url, data in posts:
            browser.post(url, data)
        browser.force_login(member)
        for url, data in signed_in:
            browser.post(url, data)
        keys.append(_counters())

    assert keys[0] == keys[1]
    assert len({key.split(":")[5] for key in keys[0]}) >= 8, keys[0]


def _counters() -> set[str]:
    client = cache._cache.get_client(None)  # type: ignore[attr-defined]  # noqa: SLF001
    names = {name.decode() for name in client.scan_iter("*allauth:rl:*")}
    return {name for name in names if not name.endswith(":lock")}


def test_browser_keeps_its_id(client: Client, member: User) -> None:
    ids = set()
    for _ in range(3):
        client.post(LOGIN, {"login": member.email, "password": PASSWORD})
        client.post("/accounts/logout/")
        cookie = signing.loads(client.cookies["device"].value, salt=devices.__name__)
        ids.add(cookie["browser"])

    assert len(ids) == 1
