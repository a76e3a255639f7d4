"""Passwords that are too long are refused before anything looks at them, on each page."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.forms import SignupForm as BaseSignupForm
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.forms import BaseForm, PasswordInput
from django.test import Client, RequestFactory
from django.urls import get_resolver

from apps.users.models import User
from apps.users.models.user import MAX_PASSWORD
from apps.users.passwords import PasswordForm, SetPasswordForm
from apps.users.validators import GuessablePasswordValidator
from tests.apps.users.conftest import PASSWORD, add_totp, link_in, reauthenticate, recovery_codes

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]

LONGEST = ("joints of wood, " * MAX_PASSWORD)[:MAX_PASSWORD]
TOO_LONG = LONGEST + "!"


@pytest.fixture
def looked_at(hashed: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the passwords that have been hashed or validated so far."""
    validate = GuessablePasswordValidator.validate

    def record(self: Any, password: str, user: User | None = None) -> None:
        hashed.append(password)
        validate(self, password, user)

    monkeypatch.setattr(GuessablePasswordValidator, "validate", record)
    return hashed


def assert_refused(response: Any, looked_at: list[str]) -> None:
    assert "Use at most 1,024 characters." in response.text
    assert TOO_LONG not in response.text
    assert TOO_LONG not in looked_at


def test_sign_up(client: Client, looked_at: list[str]) -> None:
    data = {"email": "eve@example.org", "password1": TOO_LONG, "password2": TOO_LONG}

    response = client.post("/accounts/signup/", data)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert_refused(response, looked_at)
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_login(client: Client, member: User, looked_at: list[str], email: str) -> None:
    member.set_password(TOO_LONG)
    member.save()
    looked_at.clear()

    response = client.post("/accounts/login/", {"login": email, "password": TOO_LONG})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert_refused(response, looked_at)
    assert "_auth_user_id" not in client.session


def test_reauthentication(
    client: Client, member: User, log_in: LogIn, looked_at: list[str]
) -> None:
    log_in(member)

    response = client.post("/accounts/reauthenticate/", {"password": TOO_LONG})

    assert_refused(response, looked_at)


@pytest.mark.parametrize("old", [PASSWORD, TOO_LONG])
def test_change(
    client: Client, member: User, log_in: LogIn, looked_at: list[str], old: str
) -> None:
    log_in(member)
    data = {"oldpassword": old, "password1": TOO_LONG, "password2": TOO_LONG}

    response = client.post("/accounts/password/change/", data)

    assert_refused(response, looked_at)
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_set(member: User, looked_at: list[str]) -> None:
    """The page asks for a mailed code first, so this asks its form."""
    form = SetPasswordForm(member, {"password1": TOO_LONG, "password2": TOO_LONG})

    assert form.errors == {name: ["Use at most 1,024 characters."] for name in form.fields}
    assert TOO_LONG not in looked_at


def test_reset(
    client: Client, member: User, mailoutbox: list[EmailMessage], looked_at: list[str]
) -> None:
    client.post("/accounts/password/reset/", {"email": member.email})
    form = client.get(link_in(mailoutbox[0]), follow=True)
    data = {"password1": TOO_LONG, "password2": TOO_LONG}

    response = client.post(form.request["PATH_INFO"], data)

    assert_refused(response, looked_at)
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_longest_password_is_accepted(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    data = {"oldpassword": PASSWORD, "password1": LONGEST, "password2": LONGEST}

    client.post("/accounts/password/change/", data)

    browser = Client()
    browser.post("/accounts/login/", {"login": member.email, "password": LONGEST})
    assert "_auth_user_id" in browser.session


@pytest.fixture
def administrator(client: Client, log_in: LogIn) -> Client:
    root = User.objects.create_superuser("root@example.org", PASSWORD)
    add_totp(root)
    log_in(root)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes(root)[0]})
    client.post("/accounts/2fa/trust/", {"action": "skip"})
    reauthenticate(client)
    return client


@pytest.mark.parametrize("page", ["add", "change"])
def test_admin(administrator: Client, member: User, looked_at: list[str], page: str) -> None:
    url = "add" if page == "add" else f"{member.pk}/password"
    data = {"password1": TOO_LONG, "password2": TOO_LONG, "usable_password": "true"}
    data |= {"email": "eve@example.org", "set-password": ""} if page == "add" else {}

    response = administrator.post(f"/admin/users/user/{url}/", data)

    assert_refused(response, looked_at)
    assert not User.objects.filter(email="eve@example.org").exists()
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_createsuperuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", TOO_LONG)

    with pytest.raises(CommandError, match="longer than 1,024 characters"):
        call_command("createsuperuser", email="root@example.org", interactive=False, verbosity=0)

    assert not User.objects.exists()


def test_validators_refuse_it_for_commands() -> None:
    """`createsuperuser` and `changepassword` ask the validators, and no form."""
    with pytest.raises(ValidationError) as error:
        validate_password(TOO_LONG)

    assert error.value.messages == [
        "This password is too long. It may contain at most 1,024 characters."
    ]


def forms_of(patterns: list[Any]) -> Iterator[type[BaseForm]]:
    """Yield the forms of all views that ask for a password."""
    for pattern in patterns:
        yield from forms_of(getattr(pattern, "url_patterns", []))
        view: Any = getattr(getattr(pattern, "callback", None), "view_class", None)
        if asks_for_a_password(getattr(view, "form_class", None)):
            page = view()
            page.request = RequestFactory().get("/")
            yield page.get_form_class()


def asks_for_a_password(form: Any) -> bool:
    if form is None:
        return False
    is_sign_up = issubclass(form, BaseSignupForm)  # it adds the fields when it is made
    widgets = [field.widget for field in form.base_fields.values()]
    return is_sign_up or any(isinstance(widget, PasswordInput) for widget in widgets)


def test_every_form_with_a_password_has_the_limit() -> None:
    """Kind: a new page that asks for a password, of any length."""
    users: Any = admin.site.get_model_admin(User)
    found = {*forms_of(get_resolver().url_patterns), users.add_form, users.change_password_form}

    assert len(found) >= 8
    assert [form for form in found if not issubclass(form, PasswordForm)] == []
