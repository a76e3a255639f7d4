"""Sessions: listing them, ending them, and what ends them automatically."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.users.adapters import AccountAdapter
from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, link_in, reauthenticate
from tests.factories import make_member, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def is_logged_in(client: Client) -> bool:
    return client.get("/people/me/edit/").status_code == HTTPStatus.OK


def session_of(client: Client) -> UserSession:
    session: UserSession = UserSession.objects.get(session_key=client.session.session_key)
    return session


def change_password(client: Client) -> None:
    new = "another-joint-of-wood-30"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    client.post("/accounts/password/change/", data)


def test_login_cycles_the_session_key(client: Client, member: User, log_in: LogIn) -> None:
    client.get("/accounts/login/")
    before = client.session
    before["left"] = "by an attacker"
    before.save()

    log_in(member)

    assert client.session.session_key != before.session_key


def test_page_lists_browsers_and_ip_addresses(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member, browser=Client(headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7"))
    log_in(member)

    page = client.get("/accounts/sessions/").content.decode()

    assert "Firefox on Linux" in page
    assert "203.0.113.7" in page
    assert page.count("This device") == 1


def test_ending_one_session_requires_reauthentication(
    client: Client, member: User, log_in: LogIn
) -> None:
    other = log_in(member, browser=Client())
    third = log_in(member, browser=Client())
    log_in(member)
    url = f"/people/me/sessions/{session_of(other).pk}/end/"

    assert client.post(url)["Location"].startswith("/accounts/reauthenticate/")
    assert is_logged_in(other)
    reauthenticate(client)
    client.post(url)

    assert not is_logged_in(other)
    assert is_logged_in(third)
    assert is_logged_in(client)


def test_ending_other_sessions_requires_reauthentication(
    client: Client, member: User, log_in: LogIn
) -> None:
    other = log_in(member, browser=Client())
    log_in(member)

    response = client.post("/accounts/sessions/")
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert is_logged_in(other)
    reauthenticate(client)
    client.post("/accounts/sessions/")

    assert not is_logged_in(other)
    assert is_logged_in(client)


def test_sessions_of_others_are_not_found(client: Client, member: User, log_in: LogIn) -> None:
    stranger = make_user("eve@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=stranger, email=stranger.email, verified=True, primary=True)
    client.force_login(stranger)
    other = log_in(member, browser=Client())
    reauthenticate(client)

    response = client.post(f"/people/me/sessions/{session_of(other).pk}/end/")

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert is_logged_in(other)


def test_password_change_ends_other_sessions(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    other = log_in(member, browser=Client())
    log_in(member)
    mailoutbox.clear()

    change_password(client)

    assert is_logged_in(client)
    assert not is_logged_in(other)
    assert UserSession.objects.get() == session_of(client)
    assert [message.subject for message in mailoutbox] == ["Your password was changed"]


def test_password_reset_ends_all_sessions(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    log_in(member)
    visitor = Client()
    visitor.post("/accounts/password/reset/", {"email": member.email})
    form = visitor.get(link_in(mailoutbox[-1]), follow=True)
    new = "another-joint-of-wood-30"
    visitor.post(form.request["PATH_INFO"], {"password1": new, "password2": new})

    assert not is_logged_in(client)
    assert not UserSession.objects.exists()


def test_use_of_a_session_is_recorded(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    hour_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(last_seen_at=hour_ago)

    client.get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.8")

    session = session_of(client)
    assert session.last_seen_at > hour_ago
    assert (session.ip, session.user_agent) == ("203.0.113.8", FIREFOX)


def test_use_is_recorded_at_intervals(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    minute_ago = timezone.now() - timedelta(minutes=1)
    UserSession.objects.update(last_seen_at=minute_ago)

    client.get("/")

    assert session_of(client).last_seen_at == minute_ago


def test_session_ends_30_days_after_login(
    client: Client, member: User, log_in: LogIn, settings: Settings
) -> None:
    """Kind: a limit that is kept beside what it limits. The login is in the session itself."""
    log_in(member)
    change_password(client)  # which gives it a new key
    UserSession.objects.update(created_at=timezone.now())
    session = client.session
    session["signed_in_at"] -= settings.SESSION_LIFETIME.total_seconds() - 600
    session.save()
    assert is_logged_in(client)
    assert session.get_expiry_age() <= 600
    (stored,) = Session.objects.all()
    assert stored.expire_date <= timezone.now() + timedelta(minutes=10)  # for the cable

    session["signed_in_at"] -= 600
    Session.objects.update(session_data=session.encode(dict(session.items())))
    cache.clear()

    assert not is_logged_in(client)
    assert not UserSession.objects.exists()


def test_session_ends_two_weeks_after_its_last_use(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)

    assert timedelta(days=14).total_seconds() == settings.SESSION_COOKIE_AGE
    assert client.session.get_expiry_age() == settings.SESSION_COOKIE_AGE

    now = timezone.now()
    Session.objects.update(expire_date=now + timedelta(hours=1))
    UserSession.objects.update(last_seen_at=now - timedelta(hours=1))
    assert is_logged_in(client)  # which is a use
    assert Session.objects.get().expire_date > now + timedelta(days=13)
    Session.objects.update(expire_date=now - timedelta(seconds=1))
    assert not is_logged_in(client)


@pytest.mark.django_db(transaction=True)
async def test_use_is_recorded_under_asgi(async_client: AsyncClient) -> None:
    user = await User.objects.acreate(email="ada@example.org")
    await async_client.aforce_login(user)
    old = timezone.now() - timedelta(hours=1)
    await UserSession.objects.aupdate(last_seen_at=old)

    response = await async_client.get("/")

    assert response.status_code == HTTPStatus.OK
    assert (await UserSession.objects.aget()).last_seen_at > old


def test_session_deleted_in_the_admin_is_signed_out(
    client: Client, member: User, log_in: LogIn
) -> None:
    """Kind: a row is deleted, and what it stands for goes on, listed nowhere."""
    log_in(member)
    admin = Client()
    admin.force_login(make_member(is_staff=True, is_superuser=True, password=PASSWORD))
    reauthenticate(admin)
    session = session_of(client)

    admin.post(
        "/admin/usersessions/usersession/",
        {"action": "delete_selected", "_selected_action": [session.pk], "post": "yes"},
    )

    assert not UserSession.objects.filter(pk=session.pk).exists()
    assert not is_logged_in(client)


def test_session_that_ends_while_its_use_is_recorded_signs_out(
    client: Client, member: User, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: check, then write."""
    log_in(member)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    session = session_of(client)

    def end(_adapter: object, _request: object) -> str:
        UserSession.objects.filter(pk=session.pk).delete()
        return "203.0.113.7"

    monkeypatch.setattr(AccountAdapter, "get_client_ip", end)

    assert client.get("/").status_code == HTTPStatus.OK
    assert not UserSession.objects.filter(pk=session.pk).exists()


def test_admin_action_ends_sessions(client: Client, member: User, log_in: LogIn) -> None:
    other = log_in(member, browser=Client())
    client.force_login(make_member(is_staff=True, is_superuser=True, password=PASSWORD))
    reauthenticate(client)

    client.post(
        "/admin/users/user/", {"action": "end_sessions", "_selected_action": [str(member.pk)]}
    )

    assert not is_logged_in(other)


def test_only_logins_from_new_browsers_send_email(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    client.defaults["HTTP_USER_AGENT"] = FIREFOX
    log_in(member)
    assert [message.subject for message in mailoutbox] == ["New sign-in to your account"]
    assert "Firefox on Linux" in str(mailoutbox[0].body)

    client.post("/accounts/logout/")
    log_in(member)
    assert len(mailoutbox) == 1

    log_in(member, browser=Client())
    assert len(mailoutbox) == 2


def test_forged_device_cookie_is_ignored(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    client.cookies[settings.DEVICE_COOKIE_NAME] = "WyJ4Il0:forged"

    log_in(member)

    assert len(mailoutbox) == 1
