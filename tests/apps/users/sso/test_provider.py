"""Single sign-on against a provider that may be malicious, misconfigured or down."""

import base64
import hashlib
import hmac
import time
import warnings
from http import HTTPStatus
from typing import Any

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import Group
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from apps.users.sso.tokens import at_hash
from tests.apps.users.conftest import PASSWORD, add_totp, confirm
from tests.apps.users.sso.conftest import (
    KEY,
    OTHER_KEY,
    Provider,
    change,
    configure,
    encode,
    log_in_with_provider,
    start_login,
)
from tests.dovetail.models.test_conflicts import while_another_commits
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def connect(user: User, provider: str = "test", uid: str = "ada") -> SocialAccount:
    account: SocialAccount = SocialAccount.objects.create(user=user, provider=provider, uid=uid)
    return account


@pytest.mark.usefixtures("provider")
def test_login_page_lists_only_configured_providers(client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()

    assert "Test Realm" in page
    assert "GitHub" not in page
    assert "Google" not in page


def test_single_sign_on_is_absent_without_providers(client: Client) -> None:
    assert "or sign in with" not in client.get("/accounts/login/").content.decode()
    assert client.post("/accounts/oidc/test/login/").status_code == HTTPStatus.NOT_FOUND
    assert client.get("/accounts/oidc/test/login/callback/").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.usefixtures("provider")
def test_login_request_has_nonce_and_challenge(client: Client) -> None:
    query = start_login(client)

    assert query["client_id"] == "site"
    assert query["code_challenge_method"] == "S256"
    assert set(query["scope"].split()) == {"openid", "email", "profile"}
    assert len(query["nonce"]) >= 16
    assert query["nonce"] != start_login(client)["nonce"]


@pytest.mark.usefixtures("provider")
def test_get_request_starts_no_login(client: Client) -> None:
    response = client.get("/accounts/oidc/test/login/")

    assert response.status_code == HTTPStatus.OK
    assert 'http-equiv="refresh"' not in response.content.decode()


def test_first_login_creates_an_account(client: Client, provider: Provider) -> None:
    provider.claims |= {"name": "Ada Lovelace"}

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/"
    user = User.objects.get()
    assert (user.email, user.display_name) == ("ada@example.org", "Ada Lovelace")
    assert not user.has_usable_password()
    assert is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_first_logins_in_two_tabs_create_one_account(client: Client, provider: Provider) -> None:
    """Kind: check, then write."""
    answer = while_another_commits(
        lambda: make_user("ada@example.org"), lambda: log_in_with_provider(client, provider)
    )

    assert answer["Location"] == "/accounts/login/"
    assert User.objects.count() == 1
    assert "has just been created" in client.get("/accounts/login/").content.decode()


def test_returning_user_is_recognized_by_subject(client: Client, provider: Provider) -> None:
    log_in_with_provider(client, provider)
    provider.nonce = ""
    provider.claims["email"] = "other@example.org"
    other = Client()

    log_in_with_provider(other, provider)

    assert is_logged_in(other)
    assert User.objects.count() == 1


def test_verified_address_links_to_an_account_without_another_way_in(
    client: Client, provider: Provider, member: User, mailoutbox: list[EmailMessage]
) -> None:
    """Such as one that an administrator has made."""
    member.set_unusable_password()
    member.save()

    log_in_with_provider(client, provider)

    assert client.session["_auth_user_id"] == str(member.pk)
    assert SocialAccount.objects.get().user == member
    assert "Sign-in with Test Realm added" in [message.subject for message in mailoutbox]


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1.5, ["true"]])
def test_unverified_address_does_not_link(
    client: Client,
    provider: Provider,
    member: User,
    mailoutbox: list[EmailMessage],
    verified: Any,
) -> None:
    provider.claims["email_verified"] = verified

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/accounts/signup/confirm/"
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()
    assert mailoutbox[0].to == [member.email]
    assert "already" in mailoutbox[0].subject


@pytest.mark.usefixtures("member")
def test_untrusted_provider_does_not_link(
    client: Client, provider: Provider, settings: Settings
) -> None:
    change(settings, email_authentication=False)

    log_in_with_provider(client, provider)

    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


def test_untrusted_provider_does_not_verify_addresses(
    client: Client, provider: Provider, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    change(settings, email_authentication=False)

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/accounts/signup/confirm/"
    assert not User.objects.exists()
    confirm(client, mailoutbox[0])
    assert is_logged_in(client)
    assert SocialAccount.objects.get().user.email == "ada@example.org"


def test_second_factor_is_required_after_single_sign_on(
    client: Client, provider: Provider, member: User
) -> None:
    connect(member)
    add_totp(member)

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/accounts/2fa/authenticate/"
    assert not is_logged_in(client)


def test_deactivated_account_cannot_log_in(
    client: Client, provider: Provider, member: User
) -> None:
    connect(member)
    member.is_active = False
    member.save()

    log_in_with_provider(client, provider)

    assert not is_logged_in(client)


def test_login_restores_a_deleted_account(client: Client, provider: Provider, member: User) -> None:
    connect(member)
    member.request_deletion()

    log_in_with_provider(client, provider)

    member.refresh_from_db()
    assert member.is_active
    assert is_logged_in(client)


def test_same_subject_at_two_providers_is_two_users(client: Client, provider: Provider) -> None:
    other = make_user()
    SocialAccount.objects.create(user=other, provider="another", uid="ada")

    log_in_with_provider(client, provider)

    assert client.session["_auth_user_id"] != str(other.pk)
    assert User.objects.count() == 2


def claims_of(provider: Provider) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": provider.issuer, "sub": "ada", "aud": "site", "nonce": provider.nonce}
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
    signature = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    provider.token = lambda: token  # type: ignore[method-assign]


def weak_key(provider: Provider) -> None:
    """Sign with 1024 bits, which can be broken, and publish that key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        provider.key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the attack
        token = provider.token()
    provider.token = lambda: token  # type: ignore[method-assign]
    provider.published = provider.key


def own_key(provider: Provider) -> None:
    """Bring the key in the token's header, and point to it."""
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)
    provider.key = OTHER_KEY
    url = f"{provider.issuer}/other-keys"
    provider.header |= {"jwk": jwk, "jku": url, "x5u": url, "x5c": ["AA=="]}


FORGERIES: dict[str, Any] = {
    "another issuer": lambda p: p.changes.update(iss="https://evil.example"),
    "another audience": lambda p: p.changes.update(aud="someone-else"),
    "several audiences, issued to another client": lambda p: p.changes.update(
        aud=["site", "other"], azp="other"
    ),
    "several audiences, issued to no named client": lambda p: p.changes.update(
        aud=["site", "other"]
    ),
    "a weak key": weak_key,
    "a critical extension": lambda p: p.header.update(crit=["exp"], exp=1),
    "an unencoded payload": lambda p: p.header.update(b64=False),
    "a key of its own": own_key,
    "an expiry that is text": lambda p: p.changes.update(exp=str(int(time.time()) + 60)),
    "an expiry that is no number": lambda p: p.changes.update(exp=float("nan")),
    "an infinite expiry": lambda p: p.changes.update(exp=float("inf")),
    "an expiry after the end of time": lambda p: p.changes.update(exp=10**400),
    "an expiry that is true": lambda p: p.changes.update(exp=True),
    "issued long ago": lambda p: p.changes.update(iat=int(time.time()) - 7200),
    "valid only later": lambda p: p.changes.update(nbf=int(time.time()) + 3600),
    "valid from a time that is a list": lambda p: p.changes.update(nbf=[1]),
    "the hash of another access token": lambda p: p.changes.update(at_hash=at_hash("x", "RS256")),
    "a hash that is not text": lambda p: p.changes.update(at_hash=[1]),
    "a token of a megabyte": lambda p: p.changes.update(padding="x" * 1_000_000),
    "another nonce": lambda p: p.changes.update(nonce="replayed"),
    "no nonce": lambda p: p.changes.update(nonce=None),
    "a nonce that is not a string": lambda p: p.changes.update(nonce=[1]),
    "expired": lambda p: p.changes.update(exp=int(time.time()) - 60),
    "issued in the future": lambda p: p.changes.update(iat=int(time.time()) + 3600),
    "without expiry": lambda p: p.changes.update(exp=None),
    "without a subject": lambda p: p.changes.update(sub=None),
    "another key": lambda p: setattr(p, "key", OTHER_KEY),
    "an unknown key id": lambda p: setattr(p, "header", {"kid": "second"}),
    "signed with the client secret": secret_as_key,
    "no signature": no_signature,
    "signed with the public key as secret": public_key_as_secret,
    "no token": lambda p: setattr(p, "token", lambda: None),
    "a malformed token": lambda p: setattr(p, "token", lambda: "a.b.c"),
    "a token that is a list": lambda p: setattr(p, "token", lambda: [1]),
    "user info of another subject": lambda p: p.userinfo.update(sub="eve"),
}


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_id_token_is_rejected(client: Client, provider: Provider, forgery: str) -> None:
    query = start_login(client)
    provider.nonce = query["nonce"]
    FORGERIES[forgery](provider)

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": query["state"]}
    )

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert "Sign-in failed" in response.content.decode()
    assert "Test Realm" in response.content.decode()
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["site"]},
        {"aud": ["site", "other"], "azp": "site"},
        {"at_hash": at_hash("opaque", "RS256")},
        {"auth_time": 1},
    ],
)
def test_valid_id_token_is_accepted(
    client: Client, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.changes = changes

    log_in_with_provider(client, provider)

    assert is_logged_in(client)


def test_authorization_response_works_once(client: Client, provider: Provider) -> None:
    query = start_login(client)
    provider.nonce = query["nonce"]
    answer = {"code": "x", "state": query["state"]}
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
def test_unsolicited_response_is_rejected(client: Client, answer: dict[str, str]) -> None:
    response = client.get("/accounts/oidc/test/login/callback/", answer)

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert not is_logged_in(client)


def test_response_to_another_browser_is_rejected(client: Client, provider: Provider) -> None:
    query = start_login(Client())
    provider.nonce = query["nonce"]

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": query["state"]}
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
def test_faulty_provider_shows_an_error_page(
    client: Client, provider: Provider, member: User, fault: str
) -> None:
    FAULTS[fault](provider)

    response = client.post("/accounts/oidc/test/login/")

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert "Test Realm is unavailable" in response.content.decode()
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    assert is_logged_in(client)


def test_provider_failure_during_login_shows_an_error_page(
    client: Client, provider: Provider
) -> None:
    query = start_login(client)
    provider.status = 500

    response = client.get(
        "/accounts/oidc/test/login/callback/", {"code": "x", "state": query["state"]}
    )

    assert response.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.usefixtures("provider")
def test_canceled_login_shows_a_page(client: Client) -> None:
    query = start_login(client)

    response = client.get(
        "/accounts/oidc/test/login/callback/",
        {"error": "access_denied", "state": query["state"]},
    )

    assert response["Location"] == "/accounts/3rdparty/login/cancelled/"


@pytest.mark.parametrize(
    ("email", "allowed"),
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
def test_email_domains_restrict_logins(
    client: Client, provider: Provider, settings: Settings, email: str | None, allowed: bool
) -> None:
    change(settings, email_domains=["example.org"])
    provider.claims["email"] = email

    response = log_in_with_provider(client, provider)

    assert is_logged_in(client) is allowed
    assert (response.status_code == HTTPStatus.FORBIDDEN) is not allowed


@pytest.mark.parametrize("email", [None, 7, "not an address", "a@b\r\nBcc: x@evil.example"])
def test_missing_address_is_asked_for(client: Client, provider: Provider, email: Any) -> None:
    provider.claims["email"] = email

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/accounts/3rdparty/signup/"
    assert not is_logged_in(client)


def test_claims_can_have_other_names(
    client: Client, provider: Provider, settings: Settings
) -> None:
    names = {"subject": "oid", "email": "mail", "email_verified": "mail_ok", "name": "label"}
    change(settings, claims={**names, "groups": "roles"})
    provider.claims = {"oid": 17, "mail": "eve@example.org", "mail_ok": "true", "label": "Eve"}

    log_in_with_provider(client, provider)

    user = User.objects.get()
    assert (user.email, user.display_name) == ("eve@example.org", "Eve")
    assert SocialAccount.objects.get().uid == "17"


def test_groups_are_synced_at_every_login(
    client: Client, provider: Provider, settings: Settings
) -> None:
    change(settings, groups={"writers": "Editors", "readers": "Readers"}, staff_groups=["admins"])
    own = Group.objects.create(name="Local")
    provider.claims["groups"] = ["writers", "admins", "unknown"]
    log_in_with_provider(client, provider)
    user = User.objects.get()
    user.groups.add(own)
    assert {group.name for group in user.groups.all()} == {"Editors", "Local"}
    assert user.is_staff
    assert not user.is_superuser

    provider.nonce = ""
    provider.claims["groups"] = ["readers"]
    log_in_with_provider(client, provider)

    user.refresh_from_db()
    assert {group.name for group in user.groups.all()} == {"Readers", "Local"}
    assert not user.is_staff


@pytest.mark.parametrize("groups", [None, "admins", {"admins": 1}, [["admins"]], 7])
def test_malformed_groups_grant_nothing(
    client: Client, provider: Provider, settings: Settings, groups: Any
) -> None:
    change(settings, groups={"admins": "Editors"}, staff_groups=["admins"])
    provider.claims["groups"] = groups

    log_in_with_provider(client, provider)

    user = User.objects.get()
    assert not user.is_staff
    assert not user.groups.exists()


def test_connect_and_disconnect_an_account(
    client: Client, provider: Provider, member: User
) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    provider.claims["email"] = "elsewhere@example.org"

    response = log_in_with_provider(client, provider, process="connect")

    assert response["Location"] == "/accounts/3rdparty/"
    account = SocialAccount.objects.get()
    assert account.user == member
    assert "Test Realm" in client.get("/accounts/3rdparty/").content.decode()

    client.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()


def test_logout_continues_at_the_provider(client: Client, provider: Provider) -> None:
    log_in_with_provider(client, provider)

    response = client.post("/accounts/logout/")
    assert response["Location"] == "/accounts/oidc/test/logout/"
    assert not is_logged_in(client)
    url = client.get(response["Location"]).context["redirect_to"]

    assert url.startswith(f"{provider.issuer}/logout?id_token_hint=ey")
    assert "post_logout_redirect_uri=http%3A%2F%2Ftestserver%2F" in url
    # The ID token hint is sent only once.
    assert client.get(response["Location"])["Location"] == "/"


@pytest.mark.parametrize("fault", ["down", "no endpoint"])
def test_logout_works_without_the_provider(client: Client, provider: Provider, fault: str) -> None:
    log_in_with_provider(client, provider)
    if fault == "down":
        down(provider)
    else:
        provider.discovery["end_session_endpoint"] = None

    response = client.post("/accounts/logout/", follow=True)

    assert response.request["PATH_INFO"] == "/"
    assert not is_logged_in(client)


@pytest.mark.usefixtures("provider")
def test_logout_after_a_password_login_stays_on_the_site(client: Client, member: User) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})

    assert client.post("/accounts/logout/")["Location"] == "/"


def test_account_of_a_removed_provider_can_be_disconnected(
    client: Client, provider: Provider, member: User, settings: Settings
) -> None:
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    log_in_with_provider(client, provider, process="connect")
    configure(settings)

    assert ">test<" in client.get("/accounts/3rdparty/").content.decode()
    assert client.post("/accounts/oidc/test/login/").status_code == HTTPStatus.NOT_FOUND
    client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})

    assert not SocialAccount.objects.exists()


def test_logout_works_after_the_provider_is_removed(
    client: Client, provider: Provider, settings: Settings
) -> None:
    log_in_with_provider(client, provider)
    configure(settings)

    assert client.post("/accounts/logout/", follow=True).request["PATH_INFO"] == "/"


@pytest.mark.parametrize("name", ["a\0b", "\0", "a\ud800b", "x" * 5000])
def test_claims_that_cannot_be_stored_do_not_prevent_a_login(
    client: Client, provider: Provider, name: str
) -> None:
    """Text from outside reaches the database only as text that it can store."""
    provider.claims |= {"name": name, "na\0me": [{"a\0": name}], "given_name": name}
    provider.userinfo |= {"name": name}

    log_in_with_provider(client, provider)

    assert is_logged_in(client)
    assert (
        User.objects.get().display_name
        == name.replace("\0", "\ufffd").replace("\ud800", "\ufffd")[:80]
    )


def test_address_with_a_character_that_cannot_be_stored_is_nobodys(
    client: Client, provider: Provider, member: User
) -> None:
    provider.claims["email"] = f"{member.email}\0"

    log_in_with_provider(client, provider)

    assert not SocialAccount.objects.filter(user=member).exists()


@pytest.mark.parametrize("length", [191, 192, 200, 255])
def test_subject_of_any_allowed_length_is_recognized(
    client: Client, provider: Provider, length: int
) -> None:
    subject = "s" * length
    provider.claims["sub"] = provider.userinfo["sub"] = subject
    log_in_with_provider(client, provider)
    provider.nonce = ""
    other = Client()

    log_in_with_provider(other, provider)

    assert is_logged_in(other)
    assert User.objects.count() == 1
    provider.nonce = ""
    provider.claims["sub"] = provider.userinfo["sub"] = subject[:-1] + "t"
    provider.claims["email"] = "bob@example.org"
    third = Client()
    log_in_with_provider(third, provider)
    assert User.objects.count() == 2


@pytest.mark.parametrize("subject", ["s" * 256, "s" * 5000, "a\0", "a\ud800"])
def test_malformed_subject_is_refused(client: Client, provider: Provider, subject: str) -> None:
    provider.claims["sub"] = provider.userinfo["sub"] = subject

    response = log_in_with_provider(client, provider)

    assert response.status_code < 500
    assert not is_logged_in(client)
    assert not User.objects.exists()


def test_provider_that_leads_inside_is_not_asked(
    client: Client, provider: Provider, settings: Settings
) -> None:
    """Kind: a discovery document, or a redirect, that names an address only this server reaches."""
    provider.discovery = {"jwks_uri": "http://169.254.169.254/latest/meta-data/"}
    assert "169.254" not in log_in_with_provider(client, provider).content.decode()
    assert not is_logged_in(client)

    settings.OUTGOING_PRIVATE_HOSTS = []
    response = client.post("/accounts/oidc/test/login/")
    assert response.status_code != 302
    assert "redirect_to" not in (response.context or {})
