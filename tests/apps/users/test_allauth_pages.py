"""Every page and every email of allauth has this site's design."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import allauth.account
import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import get_adapter
from allauth.urls import urlpatterns
from django.conf import settings
from django.core.cache import cache
from django.forms import CharField, Form
from django.template import Context
from django.template.loader import get_template, render_to_string
from django.template.loader_tags import ExtendsNode
from django.test import Client, RequestFactory
from django.urls import URLResolver, reverse
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.mail.messages import compose
from tests.apps.users.conftest import (
    PASSWORD,
    add_totp,
    passkey,
    reauthenticate,
    sign_up,
    totp_code,
)
from tests.apps.users.sso.conftest import configure
from tests.factories import make_user

ALLAUTH_TEMPLATES = Path(allauth.account.__file__).parents[1] / "templates"
APPS = ("account", "mfa", "socialaccount", "usersessions")


def names_in(patterns: Any) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names_in(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


NAMES = sorted(set(names_in(urlpatterns)))
# URL arguments by name.
ARGUMENTS: dict[str, list[Any]] = {
    "account_reset_password_from_key": ["1", "wrong"],
    "mfa_edit_webauthn": [1],
    "mfa_remove_webauthn": [1],
    "openid_connect_callback": ["test"],
    "openid_connect_login": ["test"],
    "openid_connect_logout": ["test"],
    "openid_connect_reauthenticate": ["test"],
}
# These respond to a script, redirect, or are disabled.
WITHOUT_PAGE = {
    "account_confirm_login_code",
    "mfa_download_recovery_codes",
    "mfa_login_webauthn",
    "openid_connect_logout",
    "openid_connect_reauthenticate",  # for people who sign in there; see below
}
EMAILS = sorted(
    str(path.relative_to(ALLAUTH_TEMPLATES)).removesuffix("_message.txt")
    for app in APPS
    for path in (ALLAUTH_TEMPLATES / app / "email").glob("*_message.txt")
    if not path.name.startswith("base_")
)
# This site's own emails.
EMAILS += [
    "account/email/password_reset_bound",
    "account/email/new_device",
    "account/email/data_export",
]
PAGES = sorted(
    str(path.relative_to(ALLAUTH_TEMPLATES))
    for app in APPS
    for path in (ALLAUTH_TEMPLATES / app).rglob("*.html")
    if not {"email", "snippets"} & set(path.parts)
)
OUR_TEMPLATES = settings.PROJECT_DIR / "templates"
pytestmark = pytest.mark.django_db
COMPONENTS = {"input", "textarea", "select", "checkbox", "radio", "file-input", "range"}


class Page(HTMLParser):
    """The tags of a page, and whether each is inside <main>."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None], bool]] = []
        self.in_main = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_main = self.in_main or tag == "main"
        self.tags.append((tag, dict(attrs), self.in_main))

    def handle_endtag(self, tag: str) -> None:
        self.in_main = self.in_main and tag != "main"

    def main(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs, in_main in self.tags if in_main and tag in names]


def assert_is_styled(text: str) -> None:
    page = Page(text)
    assert len(page.main("main")) == 1
    assert len(page.main("h1")) == 1
    for button in page.main("button"):
        assert "btn" in (button.get("class") or "").split()
    for field in page.main("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert COMPONENTS & set((field.get("class") or "").split())
            assert f'for="{field["id"]}"' in text or field["type"] in {"checkbox", "radio"}
    # Turbo is off, and nothing violates the content security policy.
    assert re.search(r'<body[^>]* data-turbo="false"', text)
    assert '<meta name="turbo-visit-control" content="reload">' in text
    assert not [tag for tag, attrs, _ in page.tags if "style" in attrs or "onclick" in attrs]
    for tag, attrs, _ in page.tags:
        assert tag != "script" or "src" in attrs or attrs.get("type") == "application/json"


@pytest.fixture
def member() -> User:
    user = make_user("ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    EmailAddress.objects.create(user=user, email="second@example.org")
    return user


def visitor(_: User) -> Client:
    return Client()


def logged_in(member: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    return client


def reauthenticated(member: User) -> Client:
    client = logged_in(member)
    reauthenticate(client)
    return client


def second_factor_pending(member: User) -> Client:
    add_totp(member)
    return logged_in(member)


def trust_pending(member: User) -> Client:
    client = second_factor_pending(member)
    client.post("/accounts/2fa/authenticate/", {"code": totp_code()})
    return client


def with_second_factors(member: User) -> Client:
    client = trust_pending(member)
    client.post("/accounts/2fa/trust/", {"action": "skip"})
    reauthenticate(client)
    data = {"name": "Laptop", "credential": passkey()}
    Authenticator.objects.create(pk=1, user=member, type="webauthn", data=data)
    return client


def social_signup_pending(member: User) -> Client:
    """A visitor whose provider has not sent an email address."""
    client = Client()
    request = RequestFactory().get("/")
    request.session = client.session
    provider = get_adapter().get_provider(request, "test")
    with request_context(request):
        login = provider.sociallogin_from_response(request, {"id_token": {"sub": "x"}})
        session = client.session
        session["socialaccount_sociallogin"] = login.serialize()
        session.save()
    del member
    return client


def without_password(member: User) -> Client:
    member.set_unusable_password()
    member.save()
    client = Client()
    client.force_login(member)
    return client


def mailed_code_pending(member: User) -> Client:
    client = without_password(member)
    client.post("/accounts/reauthenticate/code/", {"recipient": member.email})
    return client


def reauthenticated_by_code(member: User) -> Client:
    client = mailed_code_pending(member)
    code = client.session["account_email_reauthentication_code"]["code"]
    client.post("/accounts/reauthenticate/code/confirm/", {"code": code})
    return client


def address_pending(member: User) -> Client:
    client = reauthenticated(member)
    client.post("/accounts/email/", {"action_add": "", "email": "third@example.org"})
    return client


STATES = [
    visitor,
    logged_in,
    reauthenticated,
    address_pending,
    second_factor_pending,
    trust_pending,
]
STATES += [with_second_factors, social_signup_pending, without_password]
STATES += [mailed_code_pending, reauthenticated_by_code]


def url_of(name: str) -> str:
    return reverse(name, args=ARGUMENTS.get(name, []))


@pytest.fixture
def with_provider(settings: Settings) -> None:
    entry = {"id": "test", "name": "Test", "issuer": "https://login.example.org"}
    configure(settings, entry | {"client_id": "x", "client_secret": "x"})


@pytest.mark.usefixtures("with_provider", "allow_session_queries")
def test_every_allauth_url_is_styled(member: User) -> None:
    """Visit each URL in every state of a login, so that each page is rendered at least once."""
    EmailAddress.objects.filter(
        verified=False
    ).delete()  # unverified addresses prevent adding second factors
    seen = set()
    for state in STATES:
        Authenticator.objects.all().delete()
        cache.clear()
        client = state(member)
        state_data = dict(client.session.items())
        for name in NAMES:
            # Restore the state if the previous page has ended it.
            session = client.session
            if any(session.get(key) != value for key, value in state_data.items()):
                session.update(state_data)
                session.save()
            response = client.get(url_of(name))
            assert response.status_code < 500, name
            html = response.get("Content-Type", "").startswith("text/html")
            if html and response.content and response.status_code in {200, 401}:
                assert_is_styled(response.text)
                seen.add(name)

    assert set(NAMES) - seen == WITHOUT_PAGE


@pytest.mark.parametrize("name", PAGES)
def test_every_allauth_template_extends_base(name: str) -> None:
    """Includes templates that no URL uses."""
    template = get_template(name).template  # type: ignore[attr-defined]
    while extends := template.nodelist.get_nodes_by_type(ExtendsNode):
        parent = extends[0].parent_name.resolve(Context())
        template = get_template(parent).template  # type: ignore[attr-defined]

    assert Path(template.origin.name) == OUR_TEMPLATES / "base.html"


def test_sign_up_confirmation_page_is_styled(client: Client) -> None:
    sign_up(client, "new@example.org")

    assert_is_styled(client.get(reverse("signup_confirm")).text)


@pytest.mark.parametrize("name", ["other_provider", "sign_in_to_connect", "reauthenticate"])
def test_page_about_providers_is_styled(rf: RequestFactory, name: str) -> None:
    context = {"bound": {"name": "Company", "provider": "company"}, "provider": {"name": "Company"}}

    assert_is_styled(render_to_string(f"socialaccount/{name}.html", context, rf.get("/")))


def test_password_reset_page_is_styled(client: Client, member: User) -> None:
    key = default_token_generator.make_token(member)

    for token in (key, "wrong"):
        url = reverse("account_reset_password_from_key", args=[user_pk_to_url_str(member), token])
        response = client.get(url, follow=True)
        assert ('name="password1"' in response.text) == (token == key)
        assert_is_styled(response.text)


def test_failed_login_shows_an_alert(client: Client, member: User) -> None:
    page = client.post(reverse("account_login"), {"login": member.email, "password": "wrong"}).text

    assert_is_styled(page)
    assert '<div role="alert" tabindex="-1" autofocus' in page


def test_email_change_page_is_styled(client: Client, member: User, settings: Settings) -> None:
    settings.ACCOUNT_CHANGE_EMAIL = True
    client.force_login(member)

    page = client.get(reverse("account_email")).text

    assert_is_styled(page)
    assert 'value="second@example.org"' in page


def test_phone_change_page_is_styled(rf: RequestFactory) -> None:
    form = type("PhoneForm", (Form,), {"phone": CharField()})()
    context = {"form": form, "phone": "+4912345", "phone_verified": False}

    assert_is_styled(render_to_string("account/phone_change.html", context, rf.get("/")))


@pytest.mark.parametrize("name", EMAILS)
def test_email_has_text_and_html_versions(name: str, member: User) -> None:
    tricky = "a&b<c>'d'"
    names = "code email activate_url password_reset_url signup_url from_email to_email "
    names += "deleted_email timestamp ip user_agent device provider url bound"
    context = {**dict.fromkeys(names.split(), tricky), "user": member}

    for part in ("subject.txt", "message.txt"):
        assert (OUR_TEMPLATES / f"{name}_{part}").is_file()
    message = compose(name, context, to=[member.email])
    text, page = str(message.body), str(message.alternatives[0][0])

    assert 10 < len(message.subject) < 60
    assert "&" not in message.subject.replace(tricky, "")
    assert tricky in text
    assert "&" not in text.replace(tricky, "")
    assert tricky not in page
    assert "a&amp;b&lt;c&gt;" in page
    assert settings.SITE_NAME in text
    assert settings.SITE_NAME in page
