"""Rights that need a second factor, wherever they are asked for."""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, Permission
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.articles.cable_channels import ArticleChannel
from apps.articles.models import Article, Comment
from apps.users.enrolment import next_proof
from apps.users.models import User
from apps.users.sessions import SessionStore
from tests.apps.users.conftest import PASSWORD, add_totp, code_in
from tests.apps.users.test_reauthentication import CONFIRM, REQUEST
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
CHANGE = "articles.change_article"


@pytest.fixture(autouse=True)
def _required(settings: Settings) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = True


def permission(name: str) -> Permission:
    return Permission.objects.get(codename=name.partition(".")[2])


def superuser() -> User:
    return make_user(is_staff=True, is_superuser=True, password=PASSWORD)


def editor() -> User:
    """Return staff with a group's permission."""
    group = Group.objects.create(name="Editors")
    group.permissions.add(permission(CHANGE), permission("articles.delete_article"))
    group.permissions.add(permission("articles.delete_comment"))
    user = make_user(is_staff=True, password=PASSWORD)
    user.groups.add(group)
    return user


def moderator() -> User:
    """Return a person with a permission, who may not enter the admin."""
    user = make_user(password=PASSWORD)
    user.user_permissions.add(permission(CHANGE))
    return user


def hidden_superuser() -> User:
    return make_user(is_superuser=True, password=PASSWORD)


PEOPLE = [superuser, editor, moderator, hidden_superuser]


def fresh(user: User) -> User:
    """Return the user as another request loads them."""
    return User.objects.get(pk=user.pk)


def questions(user: User) -> Iterator[Any]:
    """Ask in each of Django's ways whether there are rights, with a fresh user each time."""
    yield fresh(user).has_perm(CHANGE)
    yield fresh(user).has_perms([CHANGE])
    yield fresh(user).has_module_perms("articles")
    yield bool(fresh(user).get_all_permissions())
    yield bool(fresh(user).get_user_permissions() | fresh(user).get_group_permissions())
    yield async_to_sync(fresh(user).ahas_perm)(CHANGE)
    yield async_to_sync(fresh(user).ahas_perms)([CHANGE])
    yield async_to_sync(fresh(user).ahas_module_perms)("articles")
    yield bool(async_to_sync(fresh(user).aget_all_permissions)())
    yield bool(
        async_to_sync(fresh(user).aget_user_permissions)()
        | async_to_sync(fresh(user).aget_group_permissions)()
    )
    yield user in User.objects.with_perm(CHANGE)
    yield user in User.objects.with_perm(permission(CHANGE))


@pytest.mark.parametrize("make", PEOPLE)
def test_no_right_is_granted_without_a_second_factor(make: Callable[[], User]) -> None:
    user = make()
    assert not any(questions(user))

    factor = add_totp(user)
    assert all(questions(user))

    factor.delete()  # leaves the recovery codes, which are no second factor
    assert not any(questions(user))


@pytest.mark.parametrize("make", PEOPLE)
def test_rights_need_no_second_factor_where_it_is_optional(
    settings: Settings, make: Callable[[], User]
) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = False

    assert all(questions(make()))


@pytest.mark.parametrize("make", PEOPLE)
def test_staff_without_a_second_factor_are_members_on_all_pages(
    client: Client, make: Callable[[], User]
) -> None:
    article = make_article(title="Theirs")
    draft = make_article(title="Their draft", published=False)
    comment = make_comment(article)
    user = make()
    client.force_login(user)

    page = client.get(f"/articles/{article.slug}/").content.decode()
    assert f"/articles/{article.slug}/edit/" not in page
    assert f"/articles/{article.slug}/deletion/" not in page
    assert 'href="/admin/"' not in page
    for url in (
        f"/articles/{draft.slug}/",
        f"/articles/{article.slug}/edit/",
        f"/articles/{article.slug}/deletion/",
        f"/articles/{article.slug}/comments/{comment.pk}/edit/",
    ):
        assert client.get(url).status_code == HTTPStatus.NOT_FOUND, url
    client.post(f"/articles/{article.slug}/unpublication/")
    client.post(f"/articles/{article.slug}/deletion/")
    client.post(f"/articles/{article.slug}/comments/{comment.pk}/deletion/")
    assert Article.objects.published().get() == article
    assert Comment.objects.get() == comment
    for url in ("autocomplete/", "articles/article/?q=their", "jsi18n/", "users/user/"):
        assert client.get(f"/admin/{url}").status_code == HTTPStatus.FOUND, url
    assert not Article.objects.editable_by(user).exists()
    assert not Article.objects.deletable_by(user).exists()
    assert draft not in Article.objects.visible_to(user)


def test_streams_need_the_second_factor_too() -> None:
    draft, user = make_article(published=False), editor()
    channel = object.__new__(ArticleChannel)
    channel.stream = f"articles.article:{draft.pk}"

    assert not channel._may_read(fresh(user))
    add_totp(user)
    assert channel._may_read(fresh(user))


def test_removed_factor_takes_effect_in_open_sessions_and_sockets(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, user = make_article(published=False), editor()
    factor = add_totp(user)
    client.force_login(user)
    assert client.get(f"/articles/{draft.slug}/").status_code == HTTPStatus.OK
    assert client.get("/admin/").status_code == HTTPStatus.OK
    closed: list[Any] = []
    monkeypatch.setattr("apps.users.signals.disconnect", closed.extend)

    factor.delete()

    assert client.get(f"/articles/{draft.slug}/").status_code == HTTPStatus.NOT_FOUND
    assert client.get("/admin/").status_code == HTTPStatus.FOUND
    assert closed == [user]


def test_factor_costs_staff_one_query_and_members_none(client: Client, settings: Settings) -> None:
    article = make_article()
    url = f"/articles/{article.slug}/"

    def queries(user: User, *, required: bool) -> int:
        settings.MFA_REQUIRED_FOR_STAFF = required
        client.force_login(user)
        client.get(url)
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        return len(captured)

    member, staff = make_user(), editor()
    add_totp(staff)
    assert queries(member, required=True) == queries(member, required=False)
    assert queries(staff, required=True) == queries(staff, required=False) + 1


def test_code_asks_for_rights_that_count() -> None:
    """Kind: code that reads `is_staff`, which is true without the second factor, too."""
    asked = re.compile(r"\.is_(staff|superuser)\b")
    allowed = {
        "apps/users/models/user.py",  # is_acting_staff, is_acting_superuser
        "apps/users/addresses.py",  # keeps what belongs to staff
        "apps/users/backends.py",  # leaves superusers to Django
        "apps/users/sso/rights.py",  # sets it
        "apps/articles/management/commands/demo.py",  # sets it
        "apps/staff/views.py",  # leads to the setup of a second factor
        "templates/components/account_menu.html",  # leads to the setup of a second factor
    }
    project = Path(__file__).parents[3] / "project"
    files = [*project.rglob("*.py"), *project.rglob("*.html"), *project.rglob("*.txt")]

    found = {
        str(path.relative_to(project))
        for path in files
        if asked.search(path.read_text(encoding="utf-8"))
    }

    assert found <= allowed


@pytest.fixture
def staff(member: User) -> User:
    member.is_staff = member.is_superuser = True
    member.save()
    return member


ENROLMENT = ["/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"]


@pytest.mark.parametrize("url", [*ENROLMENT, "/accounts/email/", "/people/me/deletion/"])
def test_stolen_password_enrols_no_factor(
    client: Client, staff: User, log_in: LogIn, url: str
) -> None:
    log_in(staff)

    client.post(f"/accounts/reauthenticate/?next={url}", {"password": PASSWORD})
    if url == "/accounts/email/":  # the code could be sent to an address of the thief's
        client.post(url, {"email": "thief@example.org", "action_add": ""})
    else:
        response = client.get(url)
        assert response.status_code == HTTPStatus.FOUND
        assert response["Location"].startswith(REQUEST)

    assert EmailAddress.objects.get().email == staff.email
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("url", ENROLMENT)
def test_staff_enrol_by_password_and_mailed_code(
    client: Client, staff: User, log_in: LogIn, mailoutbox: list[EmailMessage], url: str
) -> None:
    log_in(staff)
    client.post(f"{REQUEST}?next={url}", {"recipient": staff.email})

    response = client.post(f"{CONFIRM}?next={url}", {"code": code_in(mailoutbox[-1])})

    assert response["Location"] == url
    assert client.get(url).status_code == HTTPStatus.OK


def test_mailbox_alone_enrols_no_factor(
    client: Client, staff: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    """A browser that was left signed in may be signed in to the mailbox too."""
    log_in(staff)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 301
    session.save()
    mailoutbox.clear()

    response = client.post(REQUEST, {"recipient": staff.email})

    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert "code" not in response["Location"]
    assert not mailoutbox


def test_enrolment_asks_for_the_password_and_then_for_the_code(
    client: Client, staff: User, log_in: LogIn
) -> None:
    log_in(staff)
    session = client.session
    del session["account_authentication_methods"]
    session.save()
    url = ENROLMENT[0]

    assert client.get(url)["Location"].startswith("/accounts/reauthenticate/?")
    client.post(f"/accounts/reauthenticate/?next={url}", {"password": PASSWORD})
    assert client.get(url)["Location"].startswith(REQUEST)


def test_staff_who_sign_in_at_a_provider_prove_themselves_there(
    rf: RequestFactory,
) -> None:
    """Their mailbox may be open in the browser that was left signed in."""
    provider = {"id": "reauthenticate_at:realm", "url": "/there/"}
    code = {"id": "reauthenticate_by_code", "url": "/code/"}
    request = rf.get("/")
    request.session = SessionStore()

    assert next_proof(request, superuser(), [code, provider]) == [provider]
    assert next_proof(request, superuser(), [code]) == [code]


def test_staff_without_a_confirmed_address_cannot_enrol(client: Client) -> None:
    client.force_login(superuser())
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert client.get(ENROLMENT[0]).status_code != HTTPStatus.OK


def test_members_enrol_with_their_password(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert client.get(ENROLMENT[0]).status_code == HTTPStatus.OK
