from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.users import security_log
from apps.users.models import SecurityEvent, User
from apps.users.security_log import record
from apps.users.tasks import remove_old_security_events
from tests.apps.users.conftest import PASSWORD, code_in, reauthenticate
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db

Kind = SecurityEvent.Kind
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def kinds(user: User) -> list[str]:
    """Return the kinds of a person's events, the first one first."""
    return [event.kind for event in user.security_events.order_by("id")]


def test_sign_in_is_recorded_with_its_method_and_origin(client: Client, member: User) -> None:
    client.post(
        "/accounts/login/",
        {"login": member.email, "password": PASSWORD},
        headers={"user-agent": FIREFOX},
    )

    event = member.security_events.get()
    assert (event.kind, event.detail, event.ip) == (Kind.SIGNED_IN, "password", "127.0.0.1")
    assert event.user_agent == FIREFOX
    assert event.actor is None


@pytest.mark.django_db(transaction=True)
def test_failed_sign_in_is_recorded_for_an_account_that_exists(
    client: Client, member: User
) -> None:
    for email in (member.email.upper(), "nobody@example.org"):
        client.post("/accounts/login/", {"login": email, "password": "wrong-guess-17"})

    event = SecurityEvent.objects.get()
    assert (event.user, event.kind, event.ip) == (member, Kind.SIGN_IN_FAILED, "127.0.0.1")


def test_sign_out_and_changed_password_are_recorded(
    client: Client, member: User, log_in: Callable[..., Client]
) -> None:
    log_in(member)
    new = "another-joint-of-wood-30"
    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )
    client.post("/accounts/logout/")

    assert kinds(member) == [Kind.SIGNED_IN, Kind.PASSWORD_CHANGED, Kind.SIGNED_OUT]


def test_what_someone_else_does_is_recorded_with_who_did_it(member: User) -> None:
    administrator = make_user("root@example.org")
    SecurityEvent.objects.create(kind=Kind.CHANGED_BY_STAFF, user=member, actor=administrator)

    administrator.delete()

    event = member.security_events.get()
    assert event.actor is None


def test_record_outside_of_a_request_has_no_origin(member: User) -> None:
    record(Kind.DATA_REQUESTED, member, detail="x" * 300)

    event = member.security_events.get()
    assert (event.ip, event.user_agent, len(event.detail)) == (None, "", 200)


def test_event_cannot_be_changed(member: User) -> None:
    """Kind: a record of what happened that whoever did it can edit."""
    record(Kind.SIGNED_IN, member)
    event = member.security_events.get()
    event.kind = Kind.SIGNED_OUT

    for change in (
        event.save,
        lambda: SecurityEvent.objects.update(ip="192.0.2.1"),
        lambda: SecurityEvent.objects.bulk_update([event], ["kind"]),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert kinds(member) == [Kind.SIGNED_IN]


def test_administrators_cannot_change_events(admin_client: Client, member: User) -> None:
    record(Kind.SIGNED_IN, member)
    url = f"/admin/users/securityevent/{member.security_events.get().pk}/"

    assert admin_client.get("/admin/users/securityevent/").status_code == 200
    assert admin_client.get("/admin/users/securityevent/?q=ada@example.org").status_code == 200
    assert admin_client.get(f"{url}change/").status_code == 200
    assert admin_client.get("/admin/users/securityevent/add/").status_code == 403
    for path in (f"{url}change/", f"{url}delete/"):
        assert admin_client.post(path, {"kind": "signed_out", "post": "yes"}).status_code == 403
    assert kinds(member) == [Kind.SIGNED_IN]


def test_person_sees_only_their_own_events(client: Client, member: User) -> None:
    for user in (member, make_user("eve@example.org")):
        record(Kind.EMAIL_ADDED, user, detail=f"second-{user.email}")
    client.force_login(member)

    response = client.get("/people/me/activity/")

    assert "Email address added: second-ada@example.org" in response.text
    assert "second-eve@example.org" not in response.text


def test_events_are_removed_after_their_lifetime(
    member: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURITY_EVENT_LIFETIME = timedelta(days=30)
    now = timezone.now()
    for days in (31, 29):
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda at=now - timedelta(days=days): at)
            record(Kind.SIGNED_IN, member, detail=str(days))

    remove_old_security_events()

    assert member.security_events.get().detail == "29"


def test_events_go_with_their_account(member: User) -> None:
    record(Kind.SIGNED_IN, member)

    member.delete()

    assert not SecurityEvent.objects.exists()


def test_changes_of_addresses_are_recorded(
    client: Client,
    member: User,
    log_in: Callable[..., Client],
    mailoutbox: list[EmailMessage],
) -> None:
    log_in(member)
    reauthenticate(client)
    client.post("/accounts/email/", {"email": "second@example.org", "action_add": ""})
    client.post("/accounts/confirm-email/", {"code": code_in(mailoutbox[-1])})
    client.post("/accounts/email/", {"email": "second@example.org", "action_remove": ""})

    events = member.security_events.filter(detail="second@example.org")
    assert {event.kind for event in events} == {
        *(Kind.EMAIL_ADDED, Kind.EMAIL_CONFIRMED, Kind.EMAIL_REMOVED)
    }


def test_what_people_do_with_their_account_is_recorded(
    client: Client, member: User, log_in: Callable[..., Client]
) -> None:
    log_in(member, browser=Client())
    log_in(member)
    reauthenticate(client)
    client.post("/people/me/data/exports/")
    client.post("/accounts/sessions/")
    client.post("/people/me/deletion/")
    log_in(member)

    done = kinds(member)
    assert done[-5:] == [
        Kind.SESSIONS_ENDED,
        Kind.DELETION_REQUESTED,
        Kind.SIGNED_OUT,
        Kind.SIGNED_IN,
        Kind.RESTORED,
    ]
    assert Kind.DATA_REQUESTED in done


def test_what_an_administrator_changes_is_recorded(member: User) -> None:
    administrator = make_member(
        "root@example.org", password=PASSWORD, is_staff=True, is_superuser=True
    )
    client = Client()
    client.force_login(administrator)
    reauthenticate(client)
    for action in ("end_sessions", "ban", "lift_ban"):
        selected = {"action": action, "_selected_action": [str(member.pk)]}
        client.post("/admin/users/user/", selected)

    events = list(member.security_events.order_by("id"))
    assert [event.detail for event in events] == [
        "signed you out everywhere",
        "closed your account",
        "lifted your ban",
    ]
    assert {(event.kind, event.actor) for event in events} == {
        (Kind.CHANGED_BY_STAFF, administrator)
    }
    client.force_login(member)
    assert "An administrator closed your account" in client.get("/people/me/activity/").text


def test_events_are_recorded_once_however_often_the_app_is_made_ready(
    client: Client, member: User, log_in: Callable[..., Client]
) -> None:
    security_log.connect()
    log_in(member)
    new = "another-joint-of-wood-31"

    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    assert kinds(member) == [Kind.SIGNED_IN, Kind.PASSWORD_CHANGED]
