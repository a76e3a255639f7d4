"""Attacks with addresses that are not the attacker's: squatting, pre-hijacking, misled resets."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users import addresses
from apps.users.models import User
from tests.apps.users.conftest import (
    PASSWORD,
    add_totp,
    code_in,
    confirm,
    link_in,
    reauthenticate,
    sign_up,
)
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
VICTIM = "victim@example.org"
OTHER_PASSWORD = "another-joint-of-wood-30"
CONFIRM_ADDRESS = "/accounts/confirm-email/"


def user_of(client: Client) -> User | None:
    pk = client.session.get("_auth_user_id")
    return User.objects.get(pk=pk) if pk else None


def visible(page: str) -> str:
    """Return what is shown of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.partition("<main")[2]).split())


def add_address(client: Client, email: str) -> Any:
    return client.post("/accounts/email/", {"action_add": "", "email": email})


@pytest.fixture
def attacker(client: Client, member: User, log_in: LogIn) -> User:
    """A member, signed in with `client`, who has typed the victim's address as a second one."""
    log_in(member)
    reauthenticate(client)
    add_address(client, VICTIM)
    return member


def squat(how: str) -> User:
    """Make an account that has the victim's address unconfirmed, as versions before could."""
    if how == "as its primary address":
        user = make_user(VICTIM, password=PASSWORD)
        EmailAddress.objects.create(user=user, email=VICTIM, primary=True)
        SocialAccount.objects.create(user=user, provider="evil", uid="attacker")
        add_totp(user)
    elif how == "as its only address, in no row of allauth":
        user = make_user(VICTIM, password=PASSWORD)
    else:
        user = make_user("attacker@example.org", password=PASSWORD)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        EmailAddress.objects.create(user=user, email=VICTIM)
    return user


SQUATS = [
    "as its primary address",
    "as its only address, in no row of allauth",
    "as another address",
]


@pytest.mark.usefixtures("attacker")
def test_typed_address_blocks_nobodys_sign_up(
    settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}  # the attacker has just caused a mail
    victim = Client()

    sign_up(victim, VICTIM)
    confirm(victim, mailoutbox[-1])

    assert addresses.owner(VICTIM) == user_of(victim)


@pytest.mark.parametrize("how", SQUATS)
def test_owner_of_a_squatted_address_gets_an_account_of_their_own(
    client: Client, mailoutbox: list[EmailMessage], how: str
) -> None:
    squatter = squat(how)

    sign_up(client, VICTIM, OTHER_PASSWORD)
    confirm(client, mailoutbox[-1])

    victim = user_of(client)
    assert victim is not None
    assert victim.pk != squatter.pk
    assert victim.email == VICTIM
    assert victim.check_password(OTHER_PASSWORD)
    assert not SocialAccount.objects.filter(user=victim).exists()
    assert not victim.is_mfa_enabled
    assert addresses.owner(VICTIM) == victim
    assert EmailAddress.objects.filter(email=VICTIM).count() == 1


@pytest.mark.parametrize("how", SQUATS)
def test_password_reset_leads_only_to_the_confirmed_owner(
    client: Client, mailoutbox: list[EmailMessage], how: str
) -> None:
    squat(how)

    client.post("/accounts/password/reset/", {"email": VICTIM})

    assert mailoutbox[0].subject == "No account with this address"
    assert "/reset/key/" not in str(mailoutbox[0].body)


@pytest.mark.parametrize("how", SQUATS)
def test_unconfirmed_address_signs_nobody_in(
    client: Client, mailoutbox: list[EmailMessage], how: str
) -> None:
    squat(how)

    response = client.post("/accounts/login/", {"login": VICTIM, "password": PASSWORD})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert user_of(client) is None
    assert not mailoutbox


@pytest.mark.parametrize("how", SQUATS)
def test_squatted_address_can_be_added_by_its_owner(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage], how: str
) -> None:
    squat(how)
    log_in(member)
    reauthenticate(client)
    add_address(client, VICTIM)

    client.post(CONFIRM_ADDRESS, {"code": code_in(mailoutbox[-1])})
    client.post("/accounts/email/", {"action_primary": "", "email": VICTIM})

    assert addresses.owner(VICTIM) == member
    member.refresh_from_db()
    assert member.email == VICTIM
    assert addresses.confirmed(member) == [VICTIM, "ada@example.org"]


def test_typed_address_is_outside_the_account_until_it_is_confirmed(attacker: User) -> None:
    assert addresses.confirmed(attacker) == ["ada@example.org"]
    assert not EmailAddress.objects.filter(email=VICTIM).exists()


@pytest.mark.parametrize("signed_in", [False, True])
def test_code_confirms_only_in_the_session_that_asked(
    attacker: User, mailoutbox: list[EmailMessage], *, signed_in: bool
) -> None:
    """The victim types the code that they got into their own browser; or the attacker's link."""
    code = code_in(mailoutbox[-1])
    victim = Client()
    if signed_in:
        victim.force_login(make_user(VICTIM))

    for path in (CONFIRM_ADDRESS, "/accounts/signup/confirm/"):
        victim.get(path)
        victim.post(path, {"code": code})

    assert addresses.owner(VICTIM) is None
    assert addresses.confirmed(attacker) == ["ada@example.org"]
    assert "http" not in str(mailoutbox[-1].body)


@pytest.mark.usefixtures("attacker")
def test_code_for_one_address_confirms_no_other(
    client: Client, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    add_address(client, "mine@example.org")
    mine = code_in(mailoutbox[-1])
    add_address(client, VICTIM)

    client.post(CONFIRM_ADDRESS, {"code": mine})

    assert addresses.owner(VICTIM) is None


def test_address_of_another_account_cannot_be_added(
    client: Client, attacker: User, mailoutbox: list[EmailMessage]
) -> None:
    """Even with its code, which only its owner has: accounts never share an address."""
    victim = make_user(VICTIM)
    EmailAddress.objects.create(user=victim, email=VICTIM, verified=True, primary=True)

    client.post(CONFIRM_ADDRESS, {"code": code_in(mailoutbox[-1])})

    assert addresses.owner(VICTIM) == victim
    assert addresses.confirmed(attacker) == ["ada@example.org"]


def test_sign_up_makes_no_account_before_the_code(client: Client) -> None:
    sign_up(client, VICTIM)

    assert not User.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not UserSession.objects.exists()


def test_two_sign_ups_with_one_address_are_independent(
    client: Client, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    """The attacker's password never reaches the account, whoever asked first or last."""
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    before, after = Client(), Client()
    sign_up(before, VICTIM)
    sign_up(client, VICTIM, OTHER_PASSWORD)
    message = mailoutbox[-1]
    sign_up(after, VICTIM)

    for attacker in (before, after):
        confirm(attacker, message)
        assert user_of(attacker) is None
    confirm(client, message)

    victim = user_of(client)
    assert victim is not None
    assert victim.check_password(OTHER_PASSWORD)


def test_sign_up_code_ends_after_three_wrong_attempts(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    sign_up(client, VICTIM)

    answers = [
        client.post("/accounts/signup/confirm/", {"code": "BBBB-BBBB"}).status_code
        for _ in range(3)
    ]
    confirm(client, mailoutbox[0])

    assert answers[:2] == [HTTPStatus.UNPROCESSABLE_ENTITY] * 2
    assert not User.objects.exists()


def test_sign_up_code_expires(client: Client, mailoutbox: list[EmailMessage]) -> None:
    sign_up(client, VICTIM)
    session = client.session
    session["signup"] = session["signup"] | {"at": session["signup"]["at"] - 601}
    session.save()

    confirm(client, mailoutbox[0])

    assert not User.objects.exists()


def test_sign_up_code_works_once(client: Client, mailoutbox: list[EmailMessage]) -> None:
    sign_up(client, VICTIM)
    confirm(client, mailoutbox[0])
    User.objects.get().delete()

    confirm(client, mailoutbox[0])

    assert not User.objects.exists()


def test_owner_is_told_of_another_address(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    """Kind: a new way to reset the password, of which only whoever added it knows."""
    client.force_login(member)
    reauthenticate(client)
    client.post("/accounts/email/", {"action_add": "", "email": "second@example.org"})
    code = code_in(mailoutbox[-1])
    mailoutbox.clear()

    client.post("/accounts/confirm-email/", {"code": code})

    told = [mail for mail in mailoutbox if mail.to == [member.email]]
    assert [mail.subject for mail in told] == ["An email address was added to your account"]
    assert "second@example.org" in str(told[0].body)


def test_sign_up_answers_the_same_for_every_state_of_an_address(
    member: User, mailoutbox: list[EmailMessage]
) -> None:
    """Known, unknown, squatted, being confirmed: the pages before and after a wrong code."""
    squat("as its primary address")
    answers = []
    for email in (member.email, VICTIM, "unknown@example.org"):
        browser = Client()
        pages = [
            sign_up(browser, email),
            browser.get("/accounts/signup/confirm/"),
            browser.post("/accounts/signup/confirm/", {"code": "BBBB-BBBB"}),
            sign_up(browser, email),  # again, too soon
        ]
        answers.append(
            [
                (page.status_code, page.get("Location"), visible(page.text.replace(email, "")))
                for page in pages
            ]
        )

    assert answers[0] == answers[1] == answers[2]
    assert len(mailoutbox) == 3


def test_known_address_is_never_mailed_a_code(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    sign_up(client, member.email)

    assert mailoutbox[0].subject == "You already have an account"
    assert client.session["signup"]["code"] not in str(mailoutbox[0].body)


def test_account_in_use_loses_an_unconfirmed_address_and_nothing_else(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    """Such as an author from an import, whose address was never confirmed."""
    author = make_user(VICTIM, password=PASSWORD)
    article = make_article(author)

    sign_up(client, VICTIM, OTHER_PASSWORD)
    confirm(client, mailoutbox[0])

    author.refresh_from_db()
    article.refresh_from_db()
    assert article.author == author
    assert author.email.endswith("@released.invalid")
    assert user_of(client) not in (None, author)


def test_administrators_vouch_for_the_addresses_they_enter(
    client: Client, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = False
    admin = User.objects.create_superuser("root@example.org", PASSWORD)
    squat("as another address")
    client.force_login(admin)

    data = {"email": VICTIM, "usable_password": "true"}
    data |= {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}
    response = client.post("/admin/users/user/add/", data)
    assert response.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}, response.text
    made = User.objects.get(email=VICTIM)

    assert addresses.owner(VICTIM) == made
    browser = Client()
    browser.post("/accounts/login/", {"login": VICTIM, "password": OTHER_PASSWORD})
    assert user_of(browser) == made
    browser.post("/accounts/logout/")
    mailoutbox.clear()
    browser.post("/accounts/password/reset/", {"email": VICTIM})
    assert "/reset/key/" in link_in(mailoutbox[0])


def test_admin_refuses_an_address_that_is_confirmed_for_another_account(
    client: Client, member: User, settings: Settings
) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = False
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    EmailAddress.objects.create(user=member, email=VICTIM, verified=True)

    data = {"email": VICTIM, "usable_password": "true"}
    data |= {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}
    response = client.post("/admin/users/user/add/", data)

    assert "confirmed for another account" in response.text
    assert addresses.owner(VICTIM) == member


def test_people_keep_all_of_their_confirmed_addresses(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    EmailAddress.objects.create(user=member, email="second@example.org", verified=True)

    client.post("/accounts/login/", {"login": "second@example.org", "password": PASSWORD})
    assert user_of(client) == member
    client.post("/accounts/logout/")
    client.post("/accounts/password/reset/", {"email": "second@example.org"})

    assert mailoutbox[-1].to == ["second@example.org"]
    assert "/reset/key/" in link_in(mailoutbox[-1])
