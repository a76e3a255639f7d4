"""Single sign-on against a provider that may lie, be wrong, or be down."""

import base64
import hashlib
import hmac
import time
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import Group
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, add_totp, link_in
from tests.apps.users.sso.conftest import (
    KEY,
    OTHER_KEY,
    Provider,
    change,
    come_back,
    configure,
    encode,
    leave,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.usefixtures("provider")
def test_the_page_shows_the_provider_and_no_other(client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()

    assert "Test Realm" in page
    assert "GitHub" not in page
    assert "Google" not in page


def test_without_providers_there_is_no_trace_of_them(client: Client) -> None:
    assert "or sign in by" not in client.get("/accounts/login/").content.decode()
    assert client.post("/accounts/oidc/test/login/").status_code == HTTPStatus.NOT_FOUND
    assert client.get("/accounts/oidc/test/login/callback/").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.usefixtures("provider")
def test_a_login_asks_with_state_nonce_and_challenge(client: Client) -> None:
    asked = leave(client)

    assert asked["client_id"] == "dovetail"
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    assert len(asked["nonce"]) >= 16
    assert asked["nonce"] != leave(client)["nonce"]


@pytest.mark.usefixtures("provider")
def test_a_link_elsewhere_starts_no_login(client: Client) -> None:
    response = client.get("/accounts/oidc/test/login/")

    assert response.status_code == HTTPStatus.OK
    assert 'http-equiv="refresh"' not in response.content.decode()


def test_a_stranger_gets_an_account(client: Client, provider: Provider) -> None:
    provider.claims |= {"name": "Ada Lovelace"}

    response = come_back(client, provider)

    assert response["Location"] == "/"
    user = User.objects.get()
    assert (user.email, user.display_name) == ("ada@example.org", "Ada Lovelace")
    assert not user.has_usable_password()
    assert is_logged_in(client)


def test_who_came_before_comes_again(client: Client, provider: Provider) -> None:
    come_back(client, provider)
    provider.nonce = ""
    provider.claims["email"] = "other@example.org"
    other = Client()

    come_back(other, provider)

    assert is_logged_in(other)
    assert User.objects.count() == 1


def test_a_verified_address_links_to_the_account(
    client: Client, provider: Provider, member: User, mailoutbox: list[EmailMessage]
) -> None:
    come_back(client, provider)

    assert client.session["_auth_user_id"] == str(member.pk)
    assert SocialAccount.objects.get().user == member
    member.refresh_from_db()
    assert member.check_password(PASSWORD)
    assert "Sign-in by Test Realm added" in [message.subject for message in mailoutbox]


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1.5, ["true"]])
def test_an_unverified_one_never_does(
    client: Client,
    provider: Provider,
    member: User,
    mailoutbox: list[EmailMessage],
    verified: Any,
) -> None:
    provider.claims["email_verified"] = verified

    response = come_back(client, provider)

    assert response["Location"] == "/accounts/confirm-email/"
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()
    assert mailoutbox[0].to == [member.email]
    assert "already" in mailoutbox[0].subject


@pytest.mark.usefixtures("member")
def test_a_provider_that_is_not_trusted_never_does(
    client: Client, provider: Provider, settings: Settings
) -> None:
    change(settings, email_authentication=False)

    come_back(client, provider)

    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


def test_its_word_makes_no_verified_address_either(
    client: Client, provider: Provider, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    change(settings, email_authentication=False)

    response = come_back(client, provider)

    assert response["Location"] == "/accounts/confirm-email/"
    assert not EmailAddress.objects.get().verified
    client.post(link_in(mailoutbox[0]))
    assert is_logged_in(client)


def test_an_account_that_waited_for_its_owner_loses_its_password(
    client: Client, provider: Provider
) -> None:
    squatter = make_user("ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=squatter, email=squatter.email, primary=True)

    come_back(client, provider)

    squatter.refresh_from_db()
    assert not squatter.has_usable_password()


def test_a_second_factor_is_asked_here_too(
    client: Client, provider: Provider, member: User
) -> None:
    add_totp(member)

    response = come_back(client, provider)

    assert response["Location"] == "/accounts/2fa/authenticate/"
    assert not is_logged_in(client)


def test_a_closed_account_stays_closed(client: Client, provider: Provider, member: User) -> None:
    member.is_active = False
    member.save()

    come_back(client, provider)

    assert not is_logged_in(client)


def test_a_deleted_account_is_restored(client: Client, provider: Provider, member: User) -> None:
    member.request_deletion()

    come_back(client, provider)

    member.refresh_from_db()
    assert member.is_active
    assert is_logged_in(client)


def test_the_subjects_of_two_providers_are_two_people(client: Client, provider: Provider) -> None:
    somebody = make_user()
    SocialAccount.objects.create(user=somebody, provider="another", uid="ada")

    come_back(client, provider)

    assert client.session["_auth_user_id"] != str(somebody.pk)
    assert User.objects.count() == 2


def claims_of(provider: Provider) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": provider.issuer, "sub": "ada", "aud": "dovetail", "nonce": provider.nonce}
    return {**claims, "iat": now, "exp": now + 300}


def no_signature(provider: Provider) -> None:
    header = {"alg": "none", "kid": "first"}
    token = f"{encode(header)}.{encode(claims_of(provider))}."
    provider.token = lambda: token  # type: ignore[method-assign]


def secret_as_key(provider: Provider) -> None:
    provider.key, provider.algorithm = "s3cret-of-the-client-and-then-some-more", "HS256"


def public_key_as_secret(provider: Provider) -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encode({'alg': 'HS256', 'kid': 'first'})}.{encode(claims_of(provider))}"
    mark = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"
    provider.token = lambda: token  # type: ignore[method-assign]


LIES: dict[str, Any] = {
    "another issuer": lambda p: p.changes.update(iss="https://evil.example"),
    "another audience": lambda p: p.changes.update(aud="someone-else"),
    "several audiences, for another": lambda p: p.changes.update(
        aud=["dovetail", "other"], azp="other"
    ),
    "another nonce": lambda p: p.changes.update(nonce="replayed"),
    "no nonce": lambda p: p.changes.update(nonce=None),
    "a nonce that is no text": lambda p: p.changes.update(nonce=[1]),
    "expired": lambda p: p.changes.update(exp=int(time.time()) - 60),
    "of the future": lambda p: p.changes.update(iat=int(time.time()) + 3600),
    "without an end": lambda p: p.changes.update(exp=None),
    "without a subject": lambda p: p.changes.update(sub=None),
    "another key": lambda p: setattr(p, "key", OTHER_KEY),
    "a key of no name here": lambda p: setattr(p, "header", {"kid": "second"}),
    "the secret as key": secret_as_key,
    "no signature": no_signature,
    "the public key as secret": public_key_as_secret,
    "no token": lambda p: setattr(p, "token", lambda: None),
    "a token that is none": lambda p: setattr(p, "token", lambda: "a.b.c"),
    "a token that is a list": lambda p: setattr(p, "token", lambda: [1]),
    "info about somebody else": lambda p: p.userinfo.update(sub="eve"),
}


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_logs_nobody_in(client: Client, provider: Provider, lie: str) -> None:
    asked = leave(client)
    provider.nonce = asked["nonce"]
    LIES[lie](provider)

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": asked["state"]}
    )

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert "That did not work" in response.content.decode()
    assert "Test Realm" in response.content.decode()
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


def test_an_answer_works_once(client: Client, provider: Provider) -> None:
    asked = leave(client)
    provider.nonce = asked["nonce"]
    answer = {"code": "x", "state": asked["state"]}
    client.get("/accounts/oidc/test/login/callback/", answer)
    client.post("/accounts/logout/")

    again = client.get("/accounts/oidc/test/login/callback/", answer)

    assert again.status_code == HTTPStatus.UNAUTHORIZED
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    "answer",
    [{}, {"code": "x"}, {"state": "x"}, {"code": "x", "state": "forged"}, {"error": "nonsense"}],
)
@pytest.mark.usefixtures("provider")
def test_an_answer_to_no_question_is_refused(client: Client, answer: dict[str, str]) -> None:
    response = client.get("/accounts/oidc/test/login/callback/", answer)

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert not is_logged_in(client)


def test_the_answer_to_another_browser_is_refused(client: Client, provider: Provider) -> None:
    asked = leave(Client())
    provider.nonce = asked["nonce"]

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": asked["state"]}
    )

    assert response.status_code == HTTPStatus.UNAUTHORIZED


def down(provider: Provider) -> None:
    provider.server.shutdown()
    provider.server.server_close()


FAULTS: dict[str, Any] = {
    "down": down,
    "an error": lambda p: setattr(p, "status", 503),
    "no JSON": lambda p: setattr(p, "body", b"<html>"),
    "another kind of JSON": lambda p: setattr(p, "body", b"[1]"),
    "another issuer": lambda p: p.discovery.update(issuer="https://evil.example"),
    "no issuer": lambda p: p.discovery.update(issuer=None),
    "no endpoint": lambda p: p.discovery.update(authorization_endpoint=None),
    "no keys": lambda p: p.discovery.update(jwks_uri=7),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_with_a_fault_is_a_clear_page(
    client: Client, provider: Provider, member: User, fault: str
) -> None:
    FAULTS[fault](provider)

    response = client.post("/accounts/oidc/test/login/")

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert "Test Realm does not answer" in response.content.decode()
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    assert is_logged_in(client)


def test_a_provider_that_goes_down_meanwhile_is_too(client: Client, provider: Provider) -> None:
    asked = leave(client)
    provider.status = 500

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": asked["state"]}
    )

    assert response.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.usefixtures("provider")
def test_who_cancels_there_is_told_so(client: Client) -> None:
    asked = leave(client)

    response = client.get(
        "/accounts/oidc/test/login/callback/",
        {"error": "access_denied", "state": asked["state"]},
    )

    assert response["Location"] == "/accounts/3rdparty/login/cancelled/"


@pytest.mark.parametrize(
    ("email", "fine"),
    [
        ("ada@example.org", True),
        ("ADA@Example.ORG", True),
        ("ada@sub.example.org", False),
        ("ada@example.org@evil.example", False),
        ("example.org", False),
        ("ada@evil.example@example.org", False),
        (None, False),
    ],
)
def test_only_addresses_of_its_domains_may_come(
    client: Client, provider: Provider, settings: Settings, email: str | None, fine: bool
) -> None:
    change(settings, email_domains=["example.org"])
    provider.claims["email"] = email

    response = come_back(client, provider)

    assert is_logged_in(client) is fine
    assert (response.status_code == HTTPStatus.FORBIDDEN) is not fine


@pytest.mark.parametrize("email", [None, 7, "not an address", "a@b\r\nBcc: x@evil.example"])
def test_without_an_address_one_is_asked(client: Client, provider: Provider, email: Any) -> None:
    provider.claims["email"] = email

    response = come_back(client, provider)

    assert response["Location"] == "/accounts/3rdparty/signup/"
    assert not is_logged_in(client)


def test_claims_may_have_other_names(
    client: Client, provider: Provider, settings: Settings
) -> None:
    names = {"subject": "oid", "email": "mail", "email_verified": "mail_ok", "name": "label"}
    change(settings, claims={**names, "groups": "roles"})
    provider.claims = {"oid": 17, "mail": "eve@example.org", "mail_ok": "true", "label": "Eve"}

    come_back(client, provider)

    user = User.objects.get()
    assert (user.email, user.display_name) == ("eve@example.org", "Eve")
    assert SocialAccount.objects.get().uid == "17"


def test_groups_follow_the_provider_at_every_login(
    client: Client, provider: Provider, settings: Settings
) -> None:
    change(settings, groups={"writers": "Editors", "readers": "Readers"}, staff_groups=["admins"])
    own = Group.objects.create(name="Our own")
    provider.claims["groups"] = ["writers", "admins", "unknown"]
    come_back(client, provider)
    user = User.objects.get()
    user.groups.add(own)
    assert {group.name for group in user.groups.all()} == {"Editors", "Our own"}
    assert user.is_staff
    assert not user.is_superuser

    provider.nonce = ""
    provider.claims["groups"] = ["readers"]
    come_back(client, provider)

    user.refresh_from_db()
    assert {group.name for group in user.groups.all()} == {"Readers", "Our own"}
    assert not user.is_staff


@pytest.mark.parametrize("groups", [None, "admins", {"admins": 1}, [["admins"]], 7])
def test_a_malformed_list_of_groups_gives_nothing(
    client: Client, provider: Provider, settings: Settings, groups: Any
) -> None:
    change(settings, groups={"admins": "Editors"}, staff_groups=["admins"])
    provider.claims["groups"] = groups

    come_back(client, provider)

    user = User.objects.get()
    assert not user.is_staff
    assert not user.groups.exists()


def test_an_account_is_connected_by_its_owner(
    client: Client, provider: Provider, member: User
) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    provider.claims["email"] = "elsewhere@example.org"

    response = come_back(client, provider, process="connect")

    assert response["Location"] == "/accounts/3rdparty/"
    account = SocialAccount.objects.get()
    assert account.user == member
    assert "Test Realm" in client.get("/accounts/3rdparty/").content.decode()

    client.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()


def test_a_logout_ends_the_session_there_too(client: Client, provider: Provider) -> None:
    come_back(client, provider)

    response = client.post("/accounts/logout/")
    assert response["Location"] == "/accounts/oidc/test/logout/"
    assert not is_logged_in(client)
    url = client.get(response["Location"]).context["redirect_to"]

    assert url.startswith(f"{provider.issuer}/logout?id_token_hint=ey")
    assert "post_logout_redirect_uri=http%3A%2F%2Ftestserver%2F" in url
    # The hint is used once.
    assert client.get(response["Location"])["Location"] == "/"


@pytest.mark.parametrize("fault", ["down", "no endpoint"])
def test_a_logout_needs_no_provider(client: Client, provider: Provider, fault: str) -> None:
    come_back(client, provider)
    if fault == "down":
        down(provider)
    else:
        provider.discovery["end_session_endpoint"] = None

    response = client.post("/accounts/logout/", follow=True)

    assert response.request["PATH_INFO"] == "/"
    assert not is_logged_in(client)


@pytest.mark.usefixtures("provider")
def test_a_login_by_password_ends_here_alone(client: Client, member: User) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})

    assert client.post("/accounts/logout/")["Location"] == "/"


def test_an_account_at_a_provider_that_is_gone_can_be_removed(
    client: Client, provider: Provider, member: User, settings: Settings
) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    come_back(client, provider, process="connect")
    configure(settings)

    assert ">test<" in client.get("/accounts/3rdparty/").content.decode()
    assert client.post("/accounts/oidc/test/login/").status_code == HTTPStatus.NOT_FOUND
    client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})

    assert not SocialAccount.objects.exists()


def test_a_logout_needs_no_provider_that_is_configured(
    client: Client, provider: Provider, settings: Settings
) -> None:
    come_back(client, provider)
    configure(settings)

    assert client.post("/accounts/logout/", follow=True).request["PATH_INFO"] == "/"
