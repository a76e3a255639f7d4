"""Kind: a session that no list shows, so that its owner cannot end it. There must be none.

A session and its `UserSession` are one: see `apps.users.sessions`.
"""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from threading import Barrier
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    alogin,
    login,
    update_session_auth_hash,
)
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users.adapters import AccountAdapter
from apps.users.middleware import find_user
from apps.users.models import User
from apps.users.sessions import ROW, SIGNED_IN_AT, SessionStore, end_sessions, start
from apps.users.signals import end_all_sessions
from tests.apps.users.conftest import PASSWORD, add_totp, reauthenticate, recovery_codes
from tests.dovetail.models.test_conflicts import in_threads, while_another_commits
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]
BACKEND = "apps.users.backends.AuthenticationBackend"
LONG_AGO = timezone.now() - timedelta(days=1)


def is_logged_in(client: Client) -> bool:
    return client.get("/people/me/edit/").status_code == HTTPStatus.OK


def assert_one_session(client: Client) -> None:
    """Assert that there is one session, that it is listed, and that this browser has it."""
    assert is_logged_in(client)
    (key,) = Session.objects.values_list("session_key", flat=True)
    assert key == client.session.session_key == UserSession.objects.get().session_key


def copied(client: Client) -> Client:
    """Return a browser with the same cookies."""
    other = Client()
    other.cookies.load({name: cookie.value for name, cookie in client.cookies.items()})
    return other


# Sessions without a row


def _raw_delete(row: UserSession) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usersessions_usersession WHERE id = %s", [row.pk])


def _give_away(row: UserSession) -> None:
    UserSession.objects.filter(pk=row.pk).update(user=make_user())


def _rename(row: UserSession) -> None:
    UserSession.objects.filter(pk=row.pk).update(session_key="of-another-session")


@pytest.mark.parametrize("lose", [_raw_delete, _give_away, _rename])
def test_session_without_its_row_is_not_signed_in(
    client: Client, member: User, log_in: LogIn, lose: Callable[[UserSession], None]
) -> None:
    log_in(member)
    key = client.session.session_key
    assert is_logged_in(client)  # whatever is remembered of it

    lose(UserSession.objects.get())

    assert not is_logged_in(client)
    assert not Session.objects.filter(pk=key).exists()
    assert not SessionStore(key).load()


@pytest.mark.parametrize("forgotten", [ROW, SIGNED_IN_AT])
def test_session_that_does_not_name_its_row_or_login_is_not_signed_in(
    client: Client, member: User, log_in: LogIn, forgotten: str
) -> None:
    log_in(member)
    session = client.session
    del session[forgotten]
    session.save()

    assert not is_logged_in(client)


def test_copy_of_a_session_is_not_signed_in(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    copy = SessionStore()
    copy.update(dict(client.session.items()))
    copy.create()
    other = Client()
    other.cookies["sessionid"] = str(copy.session_key)

    assert not is_logged_in(other)
    assert is_logged_in(client)


@pytest.mark.parametrize(
    "delete",
    [
        lambda row: row.delete(),
        lambda row: UserSession.objects.filter(pk=row.pk).delete(),
        lambda row: row.end(),
    ],
    ids=["row", "queryset", "allauth"],
)
def test_session_ends_with_its_row(
    client: Client, member: User, log_in: LogIn, delete: Callable[[UserSession], None]
) -> None:
    log_in(member)
    key = client.session.session_key

    delete(UserSession.objects.get())

    assert not Session.objects.filter(pk=key).exists()
    assert not SessionStore(key).load()
    assert not is_logged_in(client)


def test_row_ends_with_its_session(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    client.post("/accounts/logout/")

    assert not UserSession.objects.exists()
    assert not Session.objects.exists()


def test_session_that_is_saved_again_is_not_signed_in(
    client: Client, member: User, log_in: LogIn
) -> None:
    """A request that has read a session before it ended may put it back."""
    log_in(member)
    browser, key = copied(client), client.session.session_key
    left = SessionStore(key)
    left.load()
    client.post("/accounts/logout/")
    left.save(must_create=True)

    assert not is_logged_in(browser)


def test_session_takes_one_query(
    client: Client,
    member: User,
    rf: RequestFactory,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(member)
    request = rf.get("/")
    request.session = SessionStore(client.session.session_key)

    with django_assert_num_queries(1):  # the session, its row and the person
        assert find_user(request) == member
    with django_assert_num_queries(2):  # and the notifications
        client.get("/accounts/logout/")


# Sessions that other code starts or renews


def request_of(client: Client, user: User) -> HttpRequest:
    request = RequestFactory().get("/")
    request.session, request.user = client.session, user
    return request


def test_login_by_other_code_is_listed(client: Client, member: User) -> None:
    request = request_of(client, member)

    login(request, member, BACKEND)
    request.session.save()

    client.cookies["sessionid"] = str(request.session.session_key)
    assert_one_session(client)


def test_second_login_of_the_same_person_gets_a_new_key(client: Client, member: User) -> None:
    client.force_login(member)
    before = client.session.session_key
    request = request_of(client, member)

    login(request, member, BACKEND)
    request.session.save()

    client.cookies["sessionid"] = str(request.session.session_key)
    assert client.session.session_key != before
    assert_one_session(client)


@pytest.mark.django_db(transaction=True)
async def test_asynchronous_login_is_listed(
    async_client: AsyncClient, async_rf: AsyncRequestFactory
) -> None:
    user = await User.objects.acreate(email="ada@example.org")
    request = async_rf.get("/")
    request.session = SessionStore()

    await alogin(request, user, BACKEND)
    await request.session.asave()
    await update_key(request)

    async_client.cookies["sessionid"] = str(request.session.session_key)
    assert (await async_client.get("/people/me/edit/")).status_code == HTTPStatus.OK
    assert (await UserSession.objects.aget()).session_key == request.session.session_key
    await request.session.aflush()
    assert not await UserSession.objects.aexists()


async def update_key(request: HttpRequest) -> None:
    await request.session.acycle_key()
    await sync_to_async(request.session.save)()


def test_row_follows_a_key_that_other_code_renews(client: Client, member: User) -> None:
    client.force_login(member)
    row = UserSession.objects.get()
    request = request_of(client, member)
    member.set_password("another-joint-of-wood-30")
    member.save()

    update_session_auth_hash(request, member)
    request.session.save()

    client.cookies["sessionid"] = str(request.session.session_key)
    assert_one_session(client)
    assert UserSession.objects.get() == row


def test_row_follows_the_key_after_a_change_of_secret_key(
    client: Client, member: User, settings: Settings
) -> None:
    client.force_login(member)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key"
    before = client.session.session_key

    client.get("/")

    assert client.session.session_key != before
    assert_one_session(client)


def test_password_change_in_the_admin_leaves_nothing_unlisted(client: Client) -> None:
    admin = make_user(is_staff=True, is_superuser=True, password=PASSWORD)
    client.force_login(admin)
    other = Client()
    other.force_login(admin)

    new = "another-joint-of-wood-30"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    client.post("/admin/password_change/", data)

    assert set(UserSession.objects.values_list("session_key", flat=True)) >= {
        session.pk for session in Session.objects.all() if SESSION_KEY in session.get_decoded()
    }


# Several requests at once


@pytest.mark.django_db(transaction=True)
def test_parallel_reauthentications_leave_one_session(
    client: Client, member: User, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(member)
    before = client.session.session_key
    browsers = [copied(client) for _ in range(3)]
    together, check = Barrier(3), AccountAdapter.reauthenticate

    def check_together(self: AccountAdapter, user: User, password: str) -> Any:
        together.wait(60)  # all requests have loaded the session
        return check(self, user, password)

    monkeypatch.setattr(AccountAdapter, "reauthenticate", check_together)
    answers = in_threads(
        *(
            lambda browser=browser: browser.post(
                "/accounts/reauthenticate/?next=/people/me/edit/", {"password": PASSWORD}
            )
            for browser in browsers
        )
    )

    assert [answer["Location"] for answer in answers] == ["/people/me/edit/"] * 3
    assert {browser.session.session_key for browser in browsers}.isdisjoint({before})
    for browser in browsers:  # whichever response comes last
        assert_one_session(browser)
        assert browser.get("/people/me/deletion/").status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
def test_session_that_is_ended_while_it_reauthenticates_stays_ended(
    client: Client, member: User, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(member)
    check = AccountAdapter.reauthenticate

    def end_meanwhile(self: AccountAdapter, user: User, password: str) -> Any:
        in_threads(lambda: end_all_sessions(user))
        return check(self, user, password)

    monkeypatch.setattr(AccountAdapter, "reauthenticate", end_meanwhile)
    reauthenticate(client)

    assert not is_logged_in(client)
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_session_is_ended_by_its_row_while_its_key_changes(client: Client, member: User) -> None:
    client.force_login(member)
    row = UserSession.objects.get()

    reauthenticate(client)
    row.end()  # as it was before

    assert not is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_list_does_not_end_a_session_whose_key_changes(
    client: Client, member: User, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = log_in(member, browser=Client())
    log_in(member)
    listed = UserSession.exists

    def renew_meanwhile(self: UserSession) -> bool:
        in_threads(lambda: reauthenticate(other))
        return bool(listed(self))

    monkeypatch.setattr(UserSession, "exists", renew_meanwhile)
    assert client.get("/accounts/sessions/").status_code == HTTPStatus.OK

    assert is_logged_in(other)


def start_session(client: Client, user: User) -> None:
    """Sign in without the rest of a login, which would lock the person's row in any case."""
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session[SESSION_KEY] = str(user.pk)
    request.session[BACKEND_SESSION_KEY] = BACKEND
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    start(request, user)
    client.cookies["sessionid"] = str(request.session.session_key)


@pytest.mark.django_db(transaction=True)
def test_ending_all_sessions_reaches_one_that_is_being_started(
    client: Client, member: User
) -> None:
    while_another_commits(
        lambda: start_session(client, member),
        lambda: end_sessions(member),
    )

    assert not is_logged_in(client)
    assert not Session.objects.exists()
    assert not UserSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ending_other_sessions_reaches_one_that_is_being_started(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)
    reauthenticate(client)
    other = Client()

    while_another_commits(
        lambda: start_session(other, member),
        lambda: client.post("/accounts/sessions/"),
    )

    assert not is_logged_in(other)
    assert_one_session(client)


@pytest.mark.django_db(transaction=True)
def test_sign_in_that_began_before_all_sessions_were_ended_is_refused(
    client: Client, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = AccountAdapter.login

    def end_meanwhile(self: AccountAdapter, request: HttpRequest, user: User) -> None:
        in_threads(lambda: end_all_sessions(user))  # the password has been checked
        start(self, request, user)

    monkeypatch.setattr(AccountAdapter, "login", end_meanwhile)
    data = {"login": member.email, "password": PASSWORD}
    answer = client.post("/accounts/login/", data)

    assert answer["Location"] == "/accounts/login/"
    assert "You were signed out on all devices" in client.get("/accounts/login/").content.decode()
    assert not UserSession.objects.exists()
    monkeypatch.undo()
    client.post("/accounts/login/", data)
    assert is_logged_in(client)


def test_sign_in_that_waits_for_a_factor_ends_with_all_sessions(
    client: Client, member: User, log_in: LogIn
) -> None:
    add_totp(member)
    log_in(member)

    end_all_sessions(member)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes(member)[0]})
    client.post("/accounts/2fa/trust/", {"action": "skip"})

    assert not is_logged_in(client)
    assert not UserSession.objects.exists()


def test_refused_sign_in_restores_no_account(client: Client, member: User, log_in: LogIn) -> None:
    add_totp(member)
    log_in(member)

    member.request_deletion()
    end_all_sessions(member)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes(member)[0]})
    client.post("/accounts/2fa/trust/", {"action": "skip"})

    member.refresh_from_db()
    assert member.deleted_at
