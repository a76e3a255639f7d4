"""An account that an administrator closes stays closed until one of them opens it again."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, add_totp, totp_code
from tests.factories import make_article, make_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]


@pytest.fixture
def administrator() -> User:
    return make_member("root@example.org", password=PASSWORD, is_staff=True, is_superuser=True)


@pytest.fixture
def admin(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def act(admin: Client, action: str, *users: User) -> None:
    pks = [user.pk for user in users]
    admin.post("/admin/users/user/", {"action": action, "_selected_action": pks})


def save(admin: Client, user: User, **fields: str) -> None:
    """Send the form of a user, with an active box as stored unless given."""
    user.refresh_from_db()
    data = {"email": user.email} | ({"is_active": "on"} if user.is_active else {}) | fields
    data = {name: value for name, value in data.items() if value}
    admin.post(f"/admin/users/user/{user.pk}/change/", data)
    user.refresh_from_db()


def is_signed_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def test_signing_in_restores_no_account_that_was_banned_after_its_owner_closed_it(
    member: User, admin: Client, administrator: User, log_in: LogIn
) -> None:
    make_article(member)
    member.request_deletion()
    act(admin, "ban", member)

    browser = log_in(member)

    assert not is_signed_in(browser)
    member.refresh_from_db()
    assert not member.is_active
    assert member.banned_by == administrator
    assert "This account is closed" in browser.get("/accounts/inactive/").content.decode()


def test_ban_between_the_password_and_the_second_factor_holds(
    client: Client, member: User, administrator: User, log_in: LogIn
) -> None:
    add_totp(member)
    member.request_deletion()
    log_in(member)
    member.ban(administrator)

    client.post("/accounts/2fa/authenticate/", {"code": totp_code()})

    assert not is_signed_in(client)
    member.refresh_from_db()
    assert not member.is_active


def test_box_of_the_form_bans_and_lifts_the_ban(
    member: User, admin: Client, administrator: User, log_in: LogIn
) -> None:
    save(admin, member, is_active="")
    assert member.banned_by == administrator
    assert not is_signed_in(log_in(member, browser=Client()))

    save(admin, member, is_active="on")
    assert member.is_active
    assert member.banned_at is None
    assert is_signed_in(log_in(member, browser=Client()))


def test_saving_the_form_of_a_closed_account_leaves_it_to_its_owner(
    member: User, admin: Client, log_in: LogIn
) -> None:
    member.request_deletion()
    save(admin, member, display_name="Ada")
    assert member.display_name == "Ada"
    assert member.banned_at is None

    assert is_signed_in(log_in(member))


def test_reactivation_restores_a_closed_account_with_what_belongs_to_it(
    member: User, admin: Client
) -> None:
    """Otherwise it would be active, and deleted for good at the end of the grace period."""
    article = make_article(member)
    member.request_deletion()

    save(admin, member, is_active="on")

    assert member.is_active
    assert member.deleted_at is None
    article.refresh_from_db()
    assert not article.is_deleted


def test_lifted_ban_leaves_a_closed_account_to_its_owner(
    member: User, admin: Client, log_in: LogIn
) -> None:
    member.request_deletion()
    act(admin, "ban", member)
    act(admin, "lift_ban", member)
    member.refresh_from_db()
    assert not member.is_active

    assert is_signed_in(log_in(member))


def test_deletion_requested_while_the_ban_is_imposed_does_not_lift_it(
    member: User, administrator: User
) -> None:
    stale = User.objects.get(pk=member.pk)
    member.ban(administrator)

    stale.request_deletion()
    stale.restore()

    member.refresh_from_db()
    assert not member.is_active
    assert member.banned_by == administrator


def test_deactivation_that_names_no_one_is_a_ban_too(member: User, log_in: LogIn) -> None:
    """Code that only knows Django's `is_active` sets nothing else."""
    stale = User.objects.get(pk=member.pk)
    User.objects.filter(pk=member.pk).update(is_active=False)

    stale.request_deletion()

    assert not is_signed_in(log_in(member))
    member.refresh_from_db()
    assert not member.is_active


def test_database_refuses_to_activate_a_banned_account(member: User, administrator: User) -> None:
    member.ban(administrator)

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=member.pk).update(is_active=True)


def test_ban_ends_sessions(member: User, admin: Client, log_in: LogIn) -> None:
    browser = log_in(member, browser=Client())

    act(admin, "ban", member)

    assert browser.get("/people/me/edit/")["Location"].startswith("/accounts/login/")


def test_administrators_cannot_ban_themselves(admin: Client, administrator: User) -> None:
    act(admin, "ban", administrator)

    administrator.refresh_from_db()
    assert administrator.is_active


def test_staff_ban_members_only(member: User, administrator: User) -> None:
    staff = make_member(is_staff=True, password=PASSWORD)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = Client()
    client.force_login(staff)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    act(client, "ban", member, administrator)

    member.refresh_from_db()
    administrator.refresh_from_db()
    assert not member.is_active
    assert administrator.is_active
