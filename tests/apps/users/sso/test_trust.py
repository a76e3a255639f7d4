"""Providers that speak for other people: linking, exclusive domains, mapped rights, proofs."""

import time
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import EmailAddress, Login
from allauth.core.context import request_context
from allauth.socialaccount.models import SocialAccount
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, Group
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.users import addresses
from apps.users.models import MappedRights, User
from apps.users.sso import rights
from apps.users.sso.linking import may_link
from apps.users.tasks import revoke_expired_rights
from tests.apps.users.conftest import PASSWORD, add_totp, confirm, reauthenticate, sign_up
from tests.apps.users.sso.conftest import (
    Provider,
    change,
    configure,
    log_in_with_provider,
    start_login,
)
from tests.apps.users.test_addresses import SQUATS, VICTIM, squat, user_of

pytestmark = pytest.mark.django_db
REAUTHENTICATE = "/accounts/oidc/test/reauthenticate/"
SENSITIVE = "/people/me/deletion/"


def connect(user: User, provider: str = "test", uid: str = "ada") -> SocialAccount:
    account: SocialAccount = SocialAccount.objects.create(user=user, provider=provider, uid=uid)
    return account


def without_password(user: User) -> User:
    user.set_unusable_password()
    user.save()
    return user


def age(user: User, settings: Settings) -> None:
    """Let the provider's last word about a person be as old as it may be."""
    MappedRights.objects.filter(user=user).update(
        confirmed_at=timezone.now() - settings.SSO_LIFETIME
    )
    User.objects.filter(pk=user.pk).update(mapped_rights_expire_at=timezone.now())


@pytest.mark.parametrize("how", SQUATS)
def test_owner_who_signs_in_with_a_provider_gets_an_account_of_their_own(
    client: Client, provider: Provider, how: str
) -> None:
    squatter = squat(how)
    provider.claims["email"] = VICTIM

    log_in_with_provider(client, provider)

    victim = user_of(client)
    assert victim is not None
    assert victim.pk != squatter.pk
    assert addresses.owner(VICTIM) == victim
    assert not victim.is_mfa_enabled
    assert SocialAccount.objects.get(user=victim).provider == "test"
    # A sign-up that was never completed ends, with all that is in it.
    assert User.objects.filter(pk=squatter.pk).exists() is (how == "as another address")


def test_unconfirmed_social_sign_up_is_confirmed_in_its_session(
    client: Client, provider: Provider, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    """Pre-hijacking: a provider that anyone can join gives the victim's address."""
    change(settings, email_authentication=False)
    provider.claims["email"] = VICTIM
    log_in_with_provider(client, provider)
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()

    victim = Client()
    confirm(victim, mailoutbox[0])
    assert not User.objects.exists()


def protect(user: User, how: str) -> None:
    """Give an account a way in that the provider does not have."""
    if how == "another provider":
        connect(without_password(user), "another", "someone")
    elif how == "the same provider, another person":
        connect(without_password(user), "test", "predecessor")
    elif how == "GitHub":
        connect(without_password(user), "github", "someone")
    elif how == "second factor":
        add_totp(without_password(user))
    else:
        assert user.has_usable_password()


PROTECTIONS = ["another provider", "the same provider, another person", "GitHub"]
PROTECTIONS += ["second factor", "password"]


@pytest.mark.parametrize("how", PROTECTIONS)
def test_address_alone_opens_no_account_that_its_owner_protects(
    client: Client, provider: Provider, member: User, how: str
) -> None:
    protect(member, how)
    before = SocialAccount.objects.count()

    response = log_in_with_provider(client, provider)

    assert user_of(client) is None
    assert SocialAccount.objects.count() == before
    assert User.objects.count() == 1
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "You already have an account" in response.content.decode()
    assert not may_link(member, "google", member.email)


def test_provider_is_connected_after_a_sign_in(
    client: Client, provider: Provider, member: User
) -> None:
    log_in_with_provider(client, provider)
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    reauthenticate(client)
    provider.nonce = ""

    log_in_with_provider(client, provider, process="connect")
    client.post("/accounts/logout/")
    provider.nonce = ""
    log_in_with_provider(client, provider)

    assert user_of(client) == member


ENTRY = {"name": "Company", "client_id": "site", "client_secret": "s", "trusted": True}


@pytest.fixture
def bound(provider: Provider, settings: Settings) -> Provider:
    """The provider, to which example.org belongs; another one has the same server."""
    entry = {**ENTRY, "issuer": provider.issuer}
    other = {**entry, "id": "other", "name": "Other"}
    configure(settings, {**entry, "id": "test", "exclusive_domains": ["Example.org"]}, other)
    return provider


def log_in_elsewhere(client: Client, provider: Provider) -> Any:
    response = client.post("/accounts/oidc/other/login/")
    query = parse_qs(urlsplit(response.context["redirect_to"]).query)
    provider.nonce = query["nonce"][0]
    answer = {"code": "x", "state": query["state"][0]}
    return client.get("/accounts/oidc/other/login/callback/", answer)


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("email", ["ada@example.org", "private@example.net"])
def test_password_is_closed_for_an_exclusive_domain(
    client: Client, member: User, email: str
) -> None:
    """Also by another address of the account: it would outlive the person's leaving."""
    EmailAddress.objects.create(user=member, email="private@example.net", verified=True)

    response = client.post("/accounts/login/", {"login": email, "password": PASSWORD})

    assert user_of(client) is None
    assert "People at example.org sign in with Company." in response.content.decode()


@pytest.mark.usefixtures("bound")
def test_password_reset_is_closed_for_an_exclusive_domain(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    EmailAddress.objects.create(user=member, email="private@example.net", verified=True)

    for email in (member.email, "nobody@example.org"):
        page = client.post("/accounts/password/reset/", {"email": email}).content.decode()
        assert "sign in with Company" in page
    assert not mailoutbox
    client.post("/accounts/password/reset/", {"email": "private@example.net"})

    assert mailoutbox[0].subject == "Sign in with Company"
    assert "/reset/key/" not in str(mailoutbox[0].body)


@pytest.mark.usefixtures("bound")
def test_sign_up_is_closed_for_an_exclusive_domain(client: Client) -> None:
    for email in ("new@example.org", "new@EXAMPLE.org"):
        assert sign_up(client, email).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.usefixtures("bound")
def test_other_ways_are_closed_for_an_exclusive_domain(rf: RequestFactory, member: User) -> None:
    """Whatever signs in, passkeys too, goes through allauth's `perform_login`."""
    request: HttpRequest = rf.post("/")
    request.session, request.user = Client().session, AnonymousUser()
    with request_context(request):
        response = perform_login(request, Login(user=member))

    assert response.status_code == HTTPStatus.FORBIDDEN
    assert not request.user.is_authenticated


@pytest.mark.parametrize("connected", [True, False])
def test_other_providers_are_closed_for_an_exclusive_domain(
    client: Client, bound: Provider, member: User, *, connected: bool
) -> None:
    if connected:
        connect(member, "other")
    else:
        member.delete()

    response = log_in_elsewhere(client, bound)

    assert user_of(client) is None
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "Sign in with Company" in response.content.decode()


def test_provider_speaks_for_its_exclusive_domain(
    client: Client, bound: Provider, member: User, settings: Settings
) -> None:
    response = log_in_with_provider(client, bound)

    assert user_of(client) == member, response.content
    # The session ends, used or not, and the person goes back to the provider.
    ends = client.session.get_expiry_date()
    assert ends <= timezone.now() + settings.SSO_LIFETIME
    client.get("/")
    assert client.session.get_expiry_date() == ends


def test_person_at_an_exclusive_domain_cannot_leave_the_provider(
    client: Client, bound: Provider, member: User
) -> None:
    log_in_with_provider(client, bound)
    reauthenticate(client)

    page = client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})

    assert "sign in with Company" in page.content.decode()
    assert SocialAccount.objects.filter(user=member).exists()


def test_removing_the_address_opens_no_other_way(
    client: Client, bound: Provider, member: User
) -> None:
    EmailAddress.objects.create(user=member, email="private@example.net", verified=True)
    log_in_with_provider(client, bound)
    client.post("/accounts/logout/")
    EmailAddress.objects.filter(email=member.email).delete()

    client.post("/accounts/login/", {"login": "private@example.net", "password": PASSWORD})

    assert user_of(client) is None


def with_groups(provider: Provider, settings: Settings, *names: str) -> None:
    change(settings, groups={"writers": "Editors"}, staff_groups=["admins"])
    provider.claims["groups"] = list(names)


def rights_of(user: User) -> tuple[bool, set[str]]:
    user.refresh_from_db()
    return user.is_staff, set(user.groups.values_list("name", flat=True))


@pytest.mark.parametrize("by", ["its owner", "an administrator"])
def test_mapped_rights_end_with_the_connection(
    client: Client, provider: Provider, settings: Settings, member: User, by: str
) -> None:
    connect(member)
    with_groups(provider, settings, "writers", "admins")
    log_in_with_provider(client, provider)
    member.groups.add(Group.objects.create(name="Local"))
    assert rights_of(member) == (True, {"Editors", "Local"})

    if by == "its owner":
        reauthenticate(client)
        client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    else:
        SocialAccount.objects.all().delete()

    assert not SocialAccount.objects.exists()
    assert rights_of(member) == (False, {"Local"})


def test_mapped_rights_end_without_a_new_sign_in(
    client: Client, provider: Provider, settings: Settings, member: User
) -> None:
    """The person has left the provider and stays signed in here."""
    connect(member)
    with_groups(provider, settings, "writers", "admins")
    log_in_with_provider(client, provider)
    client.get("/")
    assert rights_of(member) == (True, {"Editors"})
    age(member, settings)

    response = client.get("/admin/")

    assert response.status_code == HTTPStatus.FOUND
    assert rights_of(member) == (False, set())
    assert user_of(client) == member
    provider.nonce = ""
    log_in_with_provider(client, provider)
    assert rights_of(member) == (True, {"Editors"})


@pytest.mark.parametrize("how", ["in a task", "in an asynchronous request"])
def test_mapped_rights_end_without_a_page(
    client: Client, provider: Provider, settings: Settings, member: User, how: str
) -> None:
    connect(member)
    with_groups(provider, settings, "admins")
    log_in_with_provider(client, provider)
    age(member, settings)

    if how == "in a task":
        revoke_expired_rights()
    else:
        browser = AsyncClient()
        browser.cookies = client.cookies
        async_to_sync(browser.get)("/")

    assert rights_of(member) == (False, set())


def test_rights_given_by_hand_survive_the_provider(
    client: Client, provider: Provider, settings: Settings, member: User
) -> None:
    account = connect(member)
    member.is_staff = True
    member.save()
    member.groups.add(Group.objects.create(name="Editors"))
    with_groups(provider, settings, "writers", "admins")
    log_in_with_provider(client, provider)
    provider.nonce = ""
    with_groups(provider, settings)
    log_in_with_provider(client, provider)
    assert rights_of(member) == (True, {"Editors"})

    account.delete()

    assert rights_of(member) == (True, {"Editors"})


def test_rights_from_two_providers_end_with_the_last(provider: Provider, member: User) -> None:
    del provider
    for name in ("first", "second"):
        connect(member, name)
        rights.map_claim(member, name, ["a"], groups={"a": "Editors"}, staff=["a"])

    SocialAccount.objects.get(provider="first").delete()
    assert rights_of(member) == (True, {"Editors"})
    SocialAccount.objects.get(provider="second").delete()
    assert rights_of(member) == (False, set())


def test_deleting_a_person_with_mapped_rights(
    client: Client, provider: Provider, settings: Settings, member: User
) -> None:
    connect(member)
    with_groups(provider, settings, "writers", "admins")
    log_in_with_provider(client, provider)

    member.delete()

    assert not MappedRights.objects.exists()


@pytest.fixture
def by_provider(client: Client, provider: Provider, member: User) -> User:
    """A person who signs in with the provider only, and has just done so."""
    connect(without_password(member))
    log_in_with_provider(client, provider)
    provider.nonce = ""
    return member


def prove(client: Client, provider: Provider, **changes: Any) -> Any:
    """Go through a reauthentication at the provider."""
    response = client.post(f"{REAUTHENTICATE}?next={SENSITIVE}")
    query = parse_qs(urlsplit(response.context["redirect_to"]).query)
    assert query["prompt"] == ["login"]
    assert query["max_age"] == ["0"]
    provider.nonce = query["nonce"][0]
    provider.changes = {"auth_time": int(time.time())} | changes
    answer = {"code": "x", "state": query["state"][0]}
    return client.get("/accounts/oidc/test/login/callback/", answer)


@pytest.mark.usefixtures("by_provider")
def test_people_without_a_local_factor_prove_themselves_at_the_provider(
    client: Client, provider: Provider
) -> None:
    asked = client.get(SENSITIVE)
    assert asked["Location"] == f"{REAUTHENTICATE}?next={quote(SENSITIVE, safe='')}"
    assert "Test Realm" in client.get(asked["Location"]).content.decode()

    response = prove(client, provider)

    assert response["Location"] == SENSITIVE
    assert client.get(SENSITIVE).status_code == HTTPStatus.OK


@pytest.mark.usefixtures("by_provider")
@pytest.mark.parametrize(
    "changes",
    [
        {"auth_time": None},
        {"auth_time": 1},
        {"auth_time": "now"},
        {"auth_time": True},
        {"auth_time": float("inf")},
        {"sub": "eve"},
        {"nonce": "replayed"},
    ],
)
def test_proof_that_is_none_is_rejected(
    client: Client, provider: Provider, changes: dict[str, Any]
) -> None:
    """Kind: a provider that ignores the request, or has another person signed in."""
    if "sub" in changes:
        provider.userinfo["sub"] = "eve"

    response = prove(client, provider, **changes)

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert client.get(SENSITIVE).status_code == HTTPStatus.FOUND


@pytest.mark.usefixtures("by_provider")
def test_sign_in_is_no_proof(client: Client, provider: Provider) -> None:
    """The person who finds the browser signed in here and there only has to click."""
    provider.changes = {"auth_time": int(time.time()) - 3600}
    log_in_with_provider(client, provider, process="reauthentication", next=SENSITIVE)

    assert client.get(SENSITIVE).status_code == HTTPStatus.FOUND


@pytest.mark.usefixtures("by_provider")
def test_mailed_code_is_refused_where_the_provider_can_ask(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    mailoutbox.clear()

    response = client.post("/accounts/reauthenticate/code/", {"recipient": "ada@example.org"})

    assert response["Location"] == REAUTHENTICATE
    assert not mailoutbox


@pytest.mark.usefixtures("by_provider")
def test_mailed_code_replaces_a_removed_provider(client: Client, settings: Settings) -> None:
    configure(settings)

    assert client.get(SENSITIVE)["Location"].startswith("/accounts/reauthenticate/code/")


def test_provider_is_no_proof_where_there_is_a_local_one(
    client: Client, provider: Provider, member: User
) -> None:
    connect(member)
    log_in_with_provider(client, provider)

    assert client.get(SENSITIVE)["Location"].startswith("/accounts/reauthenticate/?")
    assert client.post(REAUTHENTICATE).status_code == HTTPStatus.NOT_FOUND


ISSUERS: list[tuple[bool, Any, bool]] = [
    (True, "right", True),
    (False, "right", True),
    (False, None, True),
    (True, None, False),
    (False, "https://evil.example", False),
    (True, "https://evil.example", False),
    (True, ["right", "https://evil.example"], False),
    (True, "", False),
]


@pytest.mark.parametrize(("promised", "named", "accepted"), ISSUERS)
def test_response_of_another_issuer_is_rejected(
    client: Client, provider: Provider, named: Any, *, promised: bool, accepted: bool
) -> None:
    """Mix-up attack: RFC 9207."""
    provider.discovery["authorization_response_iss_parameter_supported"] = promised
    query = start_login(client)
    provider.nonce = query["nonce"]
    names = [] if named is None else named if isinstance(named, list) else [named]
    answer: dict[str, Any] = {"code": "x", "state": query["state"]}
    if names:
        answer["iss"] = [provider.issuer if name == "right" else name for name in names]

    response = client.get("/accounts/oidc/test/login/callback/", answer)

    assert (user_of(client) is not None) is accepted
    assert (response.status_code == HTTPStatus.UNAUTHORIZED) is not accepted


def test_second_mail_too_soon_is_asked_for_later(
    client: Client, provider: Provider, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    """Nothing is lost: the form has the address, and the sign-in at the provider still counts."""
    change(settings, email_authentication=False)
    log_in_with_provider(Client(), provider)
    provider.nonce = ""

    response = log_in_with_provider(client, provider)

    assert response["Location"] == "/accounts/3rdparty/signup/"
    page = client.get(response["Location"]).text
    assert 'value="ada@example.org"' in page
    assert "Try again in a few seconds" in page
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    client.post(response["Location"], {"email": "ada@example.org"})
    confirm(client, mailoutbox[-1])
    assert SocialAccount.objects.get().user == user_of(client)


def test_address_that_is_typed_instead_must_be_of_the_provider_too(
    client: Client, provider: Provider, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    """Kind: a check of what one page was given, and another page that asks again."""
    change(settings, email_authentication=False, email_domains=["example.org"])
    log_in_with_provider(Client(), provider)
    provider.nonce = ""
    page = log_in_with_provider(client, provider)["Location"]
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    mailoutbox.clear()

    response = client.post(page, {"email": "me@evil.example"})

    assert "may not sign in that way" in response.text
    assert not mailoutbox
    assert not User.objects.exists()


def test_unconfirmed_account_of_a_provider_that_gives_no_address(
    client: Client, provider: Provider, mailoutbox: list[EmailMessage]
) -> None:
    """The address that the person types is confirmed before there is an account."""
    provider.claims["email"] = None
    log_in_with_provider(client, provider)
    client.post("/accounts/3rdparty/signup/", {"email": VICTIM})
    assert not User.objects.exists()

    confirm(client, mailoutbox[0])

    user = user_of(client)
    assert user is not None
    assert addresses.owner(VICTIM) == user
    assert SocialAccount.objects.get().user == user
