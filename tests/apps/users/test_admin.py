"""What administrators may do to accounts, and what they must prove first."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.mail import EmailMessage
from django.test import Client

from apps.articles.models import Article, Comment
from apps.users.admin import UserAdmin
from apps.users.models import PersonalAccessToken, SecurityEvent, User
from dovetail.mail.models import Suppression
from tests.apps.users.conftest import PASSWORD, add_totp, reauthenticate
from tests.factories import make_token, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
LogIn = Callable[..., Client]
NEW_PASSWORD = "a-dovetailed-drawer-31"


def make_administrator(email: str, **fields: Any) -> User:
    user = make_user(email, password=PASSWORD, is_staff=True, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


@pytest.fixture
def root() -> User:
    return make_administrator("root@example.org", is_superuser=True)


@pytest.fixture
def support() -> User:
    """Return staff with all permissions for accounts and groups, but who are no superuser."""
    user = make_administrator("support@example.org")
    labels = ["users", "auth", "account", "mfa", "socialaccount", "usersessions"]
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=labels))
    return user


def browser_of(user: User, *, proved: bool = True) -> Client:
    browser = Client()
    browser.force_login(user)
    if proved:
        reauthenticate(browser)
    return browser


@pytest.fixture
def root_client(root: User) -> Client:
    return browser_of(root)


@pytest.fixture
def support_client(support: User) -> Client:
    return browser_of(support)


def url_of(row: Any, page: str = "change") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{page}/"


def save(browser: Client, user: User, **fields: Any) -> Any:
    data = {"email": user.email, "is_active": "on"} | fields
    return browser.post(url_of(user), data)


def rights(user: User) -> tuple[Any, ...]:
    user = User.objects.get(pk=user.pk)
    groups = set(user.groups.all())
    return user.is_staff, user.is_superuser, groups, set(user.user_permissions.all())


def granted() -> dict[str, Any]:
    """Return the form's fields that grant everything."""
    group, _ = Group.objects.get_or_create(name="Administrators")
    permission = Permission.objects.get(codename="delete_logentry")
    return {
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [permission.pk],
    }


def test_only_known_models_are_in_the_admin() -> None:
    """A model that an app adds there needs a decision: editing it may take over accounts."""
    shown = {model for model in apps.get_models() if admin.site.is_registered(model)}

    assert shown == {
        Article, Comment, Authenticator, EmailAddress, Group, PersonalAccessToken, SecurityEvent,
        SocialAccount, Suppression, User, UserSession,
    }  # fmt: skip


def test_staff_grant_no_rights(support: User, support_client: Client, member: User) -> None:
    before = rights(support), rights(member)

    save(support_client, support, **granted())
    save(support_client, member, display_name="Changed", **granted())

    assert (rights(support), rights(member)) == before
    member.refresh_from_db()
    assert member.display_name == "Changed"  # the form was valid


def test_staff_grant_no_rights_by_adding_users(support_client: Client) -> None:
    fields = {"email": "new@example.org", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    support_client.post(
        "/admin/users/user/add/", {**fields, "usable_password": "true", **granted()}
    )

    new = User.objects.get(email="new@example.org")
    assert rights(new) == (False, False, set(), set())


def test_staff_grant_no_rights_in_an_editable_list(
    support_client: Client, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a form that the read-only fields of the page don't cover."""
    monkeypatch.setattr(UserAdmin, "list_editable", ["is_staff"])
    users = list(User.objects.order_by("-created_at"))
    data = {
        "form-TOTAL_FORMS": len(users),
        "form-INITIAL_FORMS": len(users),
        "_save": "Save",
        **{f"form-{index}-id": user.pk for index, user in enumerate(users)},
        **{f"form-{index}-is_staff": "on" for index in range(len(users))},
    }

    assert support_client.post("/admin/users/user/", data).status_code == HTTPStatus.FORBIDDEN
    assert not User.objects.get(pk=member.pk).is_staff


def test_superusers_grant_rights(root_client: Client, member: User) -> None:
    fields = granted()
    save(root_client, member, **fields)

    is_staff, is_superuser, groups, permissions = rights(member)
    assert is_staff
    assert is_superuser
    assert [group.pk for group in groups] == fields["groups"]
    assert [permission.pk for permission in permissions] == fields["user_permissions"]


@pytest.mark.parametrize("kind", ["superuser", "staff", "person with a permission", "in a group"])
def test_staff_cannot_take_over_people_with_rights(
    support_client: Client, root: User, member: User, kind: str
) -> None:
    target = root if kind == "superuser" else member
    if kind == "staff":
        User.objects.filter(pk=member.pk).update(is_staff=True)
    elif kind == "person with a permission":
        member.user_permissions.add(Permission.objects.get(codename="change_article"))
    elif kind == "in a group":
        group = Group.objects.create(name="Editors")
        group.permissions.add(Permission.objects.get(codename="change_article"))
        member.groups.add(group)
    target = User.objects.get(pk=target.pk)
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

    assert save(support_client, target, email="thief@example.org").status_code == 403
    assert support_client.post(url_of(target, "password"), passwords).status_code == 403
    assert support_client.post(url_of(target, "delete"), {"post": "yes"}).status_code == 403
    for action in ("delete_selected", "ban", "end_sessions"):
        support_client.post(
            "/admin/users/user/",
            {"action": action, "_selected_action": [target.pk, member.pk], "post": "yes"},
        )

    stored = User.objects.get(pk=target.pk)
    assert stored.email == target.email
    assert stored.check_password(PASSWORD)
    assert stored.is_active


def belongings(user: User) -> list[Any]:
    return [
        add_totp(user),
        SocialAccount.objects.create(user=user, provider="github", uid="1"),
        EmailAddress.objects.create(user=user, email="second@example.org", verified=True),
        UserSession.objects.create(
            user=user, ip="203.0.113.7", session_key="k" * 32, user_agent=""
        ),
        make_token(user)[0],
    ]


def test_what_belongs_to_accounts_is_neither_edited_nor_added(
    root_client: Client, support_client: Client, root: User, member: User
) -> None:
    """Kind: a row is handed to another account, and whoever holds it signs in there."""
    for row in belongings(member):
        names = [field.name for field in row._meta.concrete_fields]
        values = {name: getattr(row, name) for name in names if name != "id"}
        fields = {name: value for name, value in values.items() if value} | {"user": root.pk}
        for browser in (support_client, root_client):
            assert browser.post(url_of(row), fields).status_code == 403
            add = f"/admin/{row._meta.app_label}/{row._meta.model_name}/add/"
            assert browser.post(add, fields).status_code == 403
        row.refresh_from_db()
        assert row.user == member


def test_what_belongs_to_people_with_rights_is_removed_by_superusers(
    root_client: Client, support_client: Client, root: User
) -> None:
    for row in belongings(root):
        model = type(row)
        assert support_client.post(url_of(row, "delete"), {"post": "yes"}).status_code == 403
        support_client.post(
            f"/admin/{row._meta.app_label}/{row._meta.model_name}/",
            {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
        )
        assert model.objects.filter(pk=row.pk).exists()
        if model is not Authenticator:  # which would end the superuser's session
            root_client.post(url_of(row, "delete"), {"post": "yes"})
            assert not model.objects.filter(pk=row.pk).exists()


def test_staff_confirm_no_addresses(support: User, support_client: Client) -> None:
    mine = EmailAddress.objects.create(user=support, email="root@example.org")

    support_client.post(
        "/admin/account/emailaddress/",
        {"action": "make_verified", "_selected_action": [mine.pk]},
    )

    mine.refresh_from_db()
    assert not mine.verified


def test_pages_show_no_session_keys_and_secrets(root_client: Client, member: User) -> None:
    """With a session's key, staff would be signed in as its owner."""
    for row in belongings(member):
        page = root_client.get(url_of(row)).content.decode()
        assert "k" * 32 not in page
        assert "secret" not in page
        if isinstance(row, Authenticator):
            assert row.data["secret"] not in page
        if isinstance(row, PersonalAccessToken):
            assert row.digest not in page


@pytest.mark.parametrize(
    "query",
    [
        "usersessions/usersession/?session_key__startswith=k",
        "usersessions/usersession/?data__x=1",
        "usersessions/usersession/?user__password__startswith=p",
        "mfa/authenticator/?data__secret__startswith=g",
        "users/user/?password__startswith=p",
        "users/personalaccesstoken/?digest__startswith=0",
    ],
)
def test_lists_cannot_be_filtered_by_secrets(
    support_client: Client, member: User, query: str
) -> None:
    """Kind: an answer that differs by the first letters of a secret."""
    belongings(member)

    response = support_client.get(f"/admin/{query}")

    assert response.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("q", ["x", "member@example.org", "203.0.113.7", "%00"])
def test_lists_of_belongings_can_be_searched(root_client: Client, member: User, q: str) -> None:
    belongings(member)

    for url in (
        *("usersessions/usersession", "socialaccount/socialaccount", "account/emailaddress"),
        "users/personalaccesstoken",
    ):
        assert root_client.get(f"/admin/{url}/", {"q": q}).status_code == HTTPStatus.OK


def test_groups_are_changed_by_superusers(support_client: Client, root_client: Client) -> None:
    group = Group.objects.create(name="Editors")
    permission = Permission.objects.get(codename="change_user")
    fields = {"name": "Editors", "permissions": [permission.pk]}

    assert support_client.post(url_of(group), fields).status_code == 403
    assert support_client.post("/admin/auth/group/add/", fields | {"name": "x"}).status_code == 403
    assert support_client.post(url_of(group, "delete"), {"post": "yes"}).status_code == 403
    assert not group.permissions.exists()

    root_client.post(url_of(group), fields)
    assert group.permissions.get() == permission


def dangerous(member: User) -> dict[str, tuple[str, dict[str, Any], Callable[[], bool]]]:
    """Return requests by what they do, with the question whether it is done."""
    group = Group.objects.create(name="Editors")
    rows = {type(row): row for row in belongings(member)}
    form = {"email": member.email, "is_active": "on"}
    stored = User.objects.filter(pk=member.pk)

    def action(name: str, row: Any) -> tuple[str, dict[str, Any]]:
        url = f"/admin/{row._meta.app_label}/{row._meta.model_name}/?o=1"
        return url, {"action": name, "_selected_action": [row.pk], "post": "yes"}

    def gone(row: Any) -> Callable[[], bool]:
        return lambda: not type(row).objects.filter(pk=row.pk).exists()

    return {
        "staff status": (
            f"{url_of(member)}?_changelist_filters=q%3Dada",
            form | {"is_staff": "on"},
            stored.filter(is_staff=True).exists,
        ),
        "group": (url_of(member), form | {"groups": [group.pk]}, member.groups.exists),
        "address": (
            url_of(member),
            form | {"email": "new@example.org"},
            stored.filter(email="new@example.org").exists,
        ),
        "ban": (url_of(member), {"email": member.email}, stored.filter(is_active=False).exists),
        "ban of several": (
            *action("ban", member),
            stored.filter(is_active=False).exists,
        ),
        "permissions of a group": (
            url_of(group),
            {"name": "Renamed"},
            Group.objects.filter(name="Renamed").exists,
        ),
        "new group": (
            "/admin/auth/group/add/",
            {"name": "New"},
            Group.objects.filter(name="New").exists,
        ),
        "deletion": (url_of(member, "delete"), {"post": "yes"}, gone(member)),
        "deletion of several": (*action("delete_selected", member), gone(member)),
        "factor": (
            url_of(rows[Authenticator], "delete"),
            {"post": "yes"},
            gone(rows[Authenticator]),
        ),
        "factors": (
            *action("delete_selected", rows[Authenticator]),
            gone(rows[Authenticator]),
        ),
        "session": (
            url_of(rows[UserSession], "delete"),
            {"post": "yes"},
            gone(rows[UserSession]),
        ),
        "sessions": (*action("end_sessions", member), gone(rows[UserSession])),
        "access token": (
            url_of(rows[PersonalAccessToken], "delete"),
            {"post": "yes"},
            gone(rows[PersonalAccessToken]),
        ),
        "connected account": (
            url_of(rows[SocialAccount], "delete"),
            {"post": "yes"},
            gone(rows[SocialAccount]),
        ),
    }


DANGEROUS = [
    *("staff status", "group", "address", "ban", "ban of several", "permissions of a group"),
    *("new group", "deletion", "deletion of several", "factor", "factors", "session", "sessions"),
    *("connected account", "access token"),
]


@pytest.mark.parametrize("name", DANGEROUS)
def test_dangerous_actions_need_a_recent_proof_and_are_then_done(
    root: User, member: User, name: str
) -> None:
    """What was sent is kept meanwhile, with a query string too."""
    browser = browser_of(root, proved=False)
    url, data, is_done = dangerous(member)[name]

    asked = browser.post(url, data)
    assert asked["Location"].startswith("/accounts/reauthenticate/?next=%2Fadmin%2F")
    assert not is_done()

    response = browser.post(asked["Location"], {"password": PASSWORD})
    assert response["Location"].startswith(("/admin/", "..", "?")), response["Location"]
    assert is_done()


def test_form_that_is_invalid_after_the_proof_is_sent_to_its_own_url(
    root: User, member: User
) -> None:
    browser = browser_of(root, proved=False)
    EmailAddress.objects.create(user=root, email="taken@example.org", verified=True)
    url = url_of(member)
    asked = browser.post(url, {"email": "new@example.org", "is_active": "on"})
    make_user("new@example.org")  # taken meanwhile

    page = browser.post(asked["Location"], {"password": PASSWORD}).content.decode()

    assert f'action="{url}"' in page
    assert 'value="new@example.org"' in page
    assert "already exists" in page


def test_harmless_changes_need_no_proof(root: User, member: User) -> None:
    browser = browser_of(root, proved=False)

    save(browser, member, display_name="Ada")

    member.refresh_from_db()
    assert member.display_name == "Ada"


def test_password_of_others_needs_a_recent_proof_and_is_not_stored(
    root: User, member: User
) -> None:
    browser = browser_of(root, proved=False)
    url = url_of(member, "password")
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

    assert browser.get(url)["Location"].startswith("/accounts/reauthenticate/")
    assert browser.post(url, passwords)["Location"].startswith("/accounts/reauthenticate/")
    assert NEW_PASSWORD not in str(dict(browser.session))
    reauthenticate(browser)
    assert browser.get(url).status_code == HTTPStatus.OK

    browser.post(url, passwords)
    member.refresh_from_db()
    assert member.check_password(NEW_PASSWORD)


def test_new_password_ends_sessions_and_tells_the_person(
    root: User, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    browser, root_client = log_in(member, browser=Client()), log_in(root, browser=Client())
    reauthenticate(root_client)
    mailoutbox.clear()

    root_client.post(
        url_of(member, "password"),
        {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"},
    )

    assert browser.get("/people/me/edit/").status_code == HTTPStatus.FOUND
    assert not UserSession.objects.filter(user=member).exists()
    (message,) = mailoutbox
    assert message.to == [member.email]
    assert "changed your password" in str(message.body)
    assert root_client.get("/admin/").status_code == HTTPStatus.OK
    assert UserSession.objects.filter(
        user=root, session_key=root_client.session.session_key
    ).exists()


def test_new_address_is_told_to_the_old_one(
    root_client: Client, member: User, mailoutbox: list[EmailMessage], log_in: LogIn
) -> None:
    save(root_client, member, email="new@example.org")

    (message,) = mailoutbox
    assert message.to == ["ada@example.org"]
    assert "changed the email address" in str(message.body)
    member.refresh_from_db()
    address = EmailAddress.objects.get(user=member)
    assert (address.email, address.verified, address.primary) == ("new@example.org", True, True)
    assert "_auth_user_id" in log_in(member, browser=Client()).session


def test_address_that_another_account_has_confirmed_is_refused(
    root_client: Client, member: User
) -> None:
    other = make_user()
    EmailAddress.objects.create(user=other, email="second@example.org", verified=True)

    response = save(root_client, member, email="second@example.org")

    assert "confirmed for another account" in response.content.decode()
    member.refresh_from_db()
    assert member.email == "ada@example.org"


def test_removed_factor_is_told_and_ends_sessions(
    root_client: Client, member: User, mailoutbox: list[EmailMessage], log_in: LogIn
) -> None:
    browser = log_in(member, browser=Client())
    factor = add_totp(member)
    mailoutbox.clear()

    root_client.post(url_of(factor, "delete"), {"post": "yes"})

    assert [message.to for message in mailoutbox] == [[member.email]]
    assert "two-factor" in str(mailoutbox[0].body)
    assert browser.get("/people/me/edit/").status_code == HTTPStatus.FOUND


@pytest.mark.parametrize("spelling", [str, lambda pk: pk.hex, lambda pk: str(pk).upper()])
def test_own_password_is_changed_on_the_page_of_the_account(
    root: User, root_client: Client, spelling: Callable[[Any], str]
) -> None:
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    url = f"/admin/users/user/{spelling(root.pk)}/password/"

    for response in (root_client.get(url), root_client.post(url, passwords)):
        assert response["Location"] == "/accounts/password/change/"

    root.refresh_from_db()
    assert root.check_password(PASSWORD)


@pytest.mark.parametrize("url", ["/admin/password_change/", "/admin/password_change/done/"])
def test_password_page_of_the_admin_leads_to_that_of_the_account(
    root: User, root_client: Client, url: str
) -> None:
    passwords = {
        "old_password": PASSWORD,
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    }

    for response in (root_client.get(url), root_client.post(url, passwords)):
        assert response["Location"] == "/accounts/password/change/"

    root.refresh_from_db()
    assert root.check_password(PASSWORD)


def test_admin_has_no_login_and_logout_of_its_own(root: User, root_client: Client) -> None:
    stranger = Client()
    data = {"username": root.email, "password": PASSWORD}
    assert stranger.post("/admin/login/", data)["Location"].startswith("/accounts/login/")
    assert "_auth_user_id" not in stranger.session

    assert root_client.get("/admin/logout/")["Location"] == "/accounts/logout/"
    session = root_client.session.session_key
    assert root_client.post("/admin/logout/")["Location"] == "/"
    assert "_auth_user_id" not in root_client.session
    assert not UserSession.objects.filter(session_key=session).exists()
