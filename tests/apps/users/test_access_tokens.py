"""Access tokens: their form, what is stored of them, and what ends them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.signals import password_set
from allauth.mfa.signals import authenticator_added, authenticator_removed
from allauth.usersessions.models import UserSession
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, SecurityEvent, User
from apps.users.signals import end_all_sessions
from apps.users.sso import binding
from apps.users.tasks import remove_expired_access_tokens
from tests.apps.users.conftest import PASSWORD, add_totp, link_in, reauthenticate
from tests.factories import make_member, make_token, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]
NEW_PASSWORD = "another-joint-of-wood-30"


def test_form_is_recognizable() -> None:
    _, text = make_token()

    assert len(text) == 40
    assert text.startswith("dvt_")
    assert text.isascii()
    assert access_tokens.is_well_formed(text)


def test_checksum_is_what_secret_scanners_compute() -> None:
    """CRC-32 of the random part in base 62, as of GitHub's tokens, which docs/accounts.md says."""
    assert access_tokens.is_well_formed("dvt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1yLcDB")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.upper(),
        lambda text: text[4:],
        lambda text: f"{text} ",
        lambda text: text.replace("dvt_", "ghp_"),
        lambda _: "dvt_" + "\N{ARABIC-INDIC DIGIT ONE}" * 36,
        lambda _: "",
    ],
)
def test_other_text_is_not(
    change: Callable[[str], str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, text = make_token()

    with django_assert_num_queries(0):
        assert access_tokens.find(change(text)) is None


def test_tokens_differ_and_are_not_stored() -> None:
    """Kind: a copy of the database that opens accounts."""
    made = [make_token() for _ in range(3)]

    assert len({text for _, text in made}) == 3
    stored = str(list(PersonalAccessToken.objects.values()))
    for token, text in made:
        assert text[8:] not in stored
        assert token.start == text[:8]


def test_digest_depends_on_the_secret_key(settings: Settings) -> None:
    token, text = make_token()
    before = token.digest
    assert access_tokens.find(text) == token

    old, settings.SECRET_KEY = settings.SECRET_KEY, "new" * 20
    assert access_tokens.find(text) is None
    settings.SECRET_KEY_FALLBACKS = [old]
    assert access_tokens.find(text) == token
    token.refresh_from_db()
    assert token.digest != before
    settings.SECRET_KEY_FALLBACKS = []  # may go once each token has been used
    assert access_tokens.find(text) == token


def change_password(client: Client) -> None:
    data = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post("/accounts/password/change/", data)


def sign_out_everywhere(client: Client) -> None:
    reauthenticate(client)
    client.post("/accounts/sessions/")


def delete_account(client: Client) -> None:
    reauthenticate(client)
    client.post("/people/me/deletion/")


def sign_out(client: Client) -> None:
    client.post("/accounts/logout/")


def end_one_session(client: Client) -> None:
    reauthenticate(client)
    session = UserSession.objects.get()  # the one in use
    assert client.post(f"/people/me/sessions/{session.pk}/end/").status_code == 303


@pytest.mark.parametrize("act", [change_password, sign_out_everywhere, delete_account])
def test_what_a_person_does_against_a_thief_ends_tokens(
    client: Client, member: User, log_in: LogIn, act: Callable[[Client], None]
) -> None:
    _, text = make_token(member, name="Backup")
    _, other = make_token()
    log_in(member)

    act(client)

    assert access_tokens.find(text) is None
    assert not PersonalAccessToken.objects.filter(user=member).exists()
    event = member.security_events.get(kind=SecurityEvent.Kind.TOKEN_REVOKED)
    assert event.detail == "Backup"
    assert access_tokens.find(other)


@pytest.mark.parametrize("act", [sign_out, end_one_session])
def test_end_of_a_session_leaves_tokens(
    client: Client, member: User, log_in: LogIn, act: Callable[[Client], None]
) -> None:
    _, text = make_token(member)
    log_in(member)

    act(client)

    assert access_tokens.find(text)


def test_password_reset_and_first_password_end_tokens(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    _, text = make_token(member)
    client.post("/accounts/password/reset/", {"email": member.email})
    form = client.get(link_in(mailoutbox[-1]), follow=True).request["PATH_INFO"]
    client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert access_tokens.find(text) is None

    _, text = make_token(member)
    request = RequestFactory().get("/")
    request.session = client.session
    password_set.send(User, request=request, user=member)
    assert access_tokens.find(text) is None


def test_new_factor_leaves_tokens(client: Client, member: User) -> None:
    _, text = make_token(member)
    request = RequestFactory().get("/")
    request.session = client.session
    factor = add_totp(member)

    for changed in (authenticator_added, authenticator_removed):
        changed.send(type(factor), request=request, user=member, authenticator=factor)

    assert access_tokens.find(text)


@pytest.mark.parametrize("action", ["ban", "end_sessions"])
def test_what_an_administrator_does_ends_tokens(member: User, action: str) -> None:
    _, text = make_token(member)
    administrator = make_member(password=PASSWORD, is_staff=True, is_superuser=True)
    browser = Client()
    browser.force_login(administrator)
    reauthenticate(browser)

    selected = {"action": action, "_selected_action": [str(member.pk)]}
    browser.post("/admin/users/user/", selected)

    assert access_tokens.find(text) is None
    event = member.security_events.get(kind=SecurityEvent.Kind.TOKEN_REVOKED)
    assert event.actor == administrator
    if action == "ban":
        member.refresh_from_db()
        member.lift_ban()
        assert access_tokens.find(text) is None


def test_account_that_only_djangos_field_closes_has_no_tokens(member: User) -> None:
    _, text = make_token(member)
    User.objects.filter(pk=member.pk).update(is_active=False)

    assert access_tokens.find(text) is None


def create(user: User, **fields: Any) -> PersonalAccessToken:
    values: dict[str, Any] = {
        "name": "Backup",
        "scopes": ["articles:read"],
        "expires_at": timezone.now() + timedelta(days=1),
    }
    return access_tokens.create(user, **values | fields)[0]


def test_access_that_has_just_ended_creates_no_token(member: User) -> None:
    """Kind: a request of a thief that waits for the lock which the new password holds."""
    stale = User.objects.get(pk=member.pk)
    end_all_sessions(member)
    with pytest.raises(PermissionDenied):
        create(stale)

    stale = User.objects.get(pk=member.pk)
    User.objects.filter(pk=member.pk).update(is_active=False)
    with pytest.raises(PermissionDenied):
        create(stale)

    parent, _ = make_token()
    access_tokens.revoke(PersonalAccessToken.objects.get(pk=parent.pk))
    with pytest.raises(PermissionDenied):
        create(parent.user, parent=parent)
    assert not PersonalAccessToken.objects.exists()


@pytest.mark.parametrize("scopes", [[], ["articles:admin"], ["articles:read", "articles"]])
def test_scopes_that_do_not_exist_are_refused(member: User, scopes: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        create(member, scopes=scopes)
    assert caught.value.message_dict.keys() == {"scopes"}


def test_life_of_people_of_a_provider_is_that_of_a_sign_in_there(
    member: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Kind: someone has left the provider, and a token goes on for a year."""
    bound = binding.Bound("corp", "Corp", "example.org")
    monkeypatch.setattr(binding, "provider_for", lambda _: bound)

    with pytest.raises(ValidationError, match="Must not be after"):
        create(member, expires_at=timezone.now() + settings.SSO_LIFETIME + timedelta(minutes=1))
    assert access_tokens.longest_life(member) == settings.SSO_LIFETIME


def test_expired_tokens_are_removed_after_a_while(settings: Settings) -> None:
    now = timezone.now()
    settings.ACCESS_TOKEN_KEPT = timedelta(days=30)
    make_token(expires_at=now - timedelta(days=31))
    kept = {
        make_token(make_user(), expires_at=now + timedelta(days=days))[0] for days in (-29, 0, 1)
    }

    remove_expired_access_tokens()

    assert set(PersonalAccessToken.objects.all()) == kept
