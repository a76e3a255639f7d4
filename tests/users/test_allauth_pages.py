"""Every page and every mail of allauth is ours: none shows through unstyled."""

import re
from html.parser import HTMLParser
from pathlib import Path

import allauth.account
import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.urls import urlpatterns
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.forms import CharField, Form
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.factories import make_user

PLAIN = sorted(pattern.name for pattern in urlpatterns if "<" not in str(pattern.pattern))
MAILS = sorted(
    path.name.removesuffix("_message.txt")
    for path in (Path(allauth.account.__file__).parents[1] / "templates/account/email").glob(
        "*_message.txt"
    )
    if not path.name.startswith("base_")
)
OURS = settings.PROJECT_DIR / "templates" / "account" / "email"
pytestmark = pytest.mark.django_db
COMPONENTS = {"input", "textarea", "select", "checkbox", "radio", "file-input", "range"}


class Page(HTMLParser):
    """What a page shows between <main> and </main>, and what it holds in all."""

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


def assert_is_ours(text: str) -> None:
    page = Page(text)
    assert len(page.main("main")) == 1
    assert len(page.main("h1")) == 1
    for button in page.main("button"):
        assert "btn" in (button.get("class") or "").split()
    for field in page.main("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert COMPONENTS & set((field.get("class") or "").split())
            assert f'for="{field["id"]}"' in text or field["type"] in {"checkbox", "radio"}
    # Turbo stays away, and the policy has nothing to block.
    assert re.search(r'<body[^>]* data-turbo="false"', text)
    assert '<meta name="turbo-visit-control" content="reload">' in text
    assert not [tag for tag, attrs, _ in page.tags if "style" in attrs or "onclick" in attrs]
    for tag, attrs, _ in page.tags:
        assert tag != "script" or "src" in attrs or attrs.get("type") == "application/json"


@pytest.fixture
def member() -> User:
    user = make_user("ada@example.org", password="a-joint-of-wood-29")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    EmailAddress.objects.create(user=user, email="second@example.org")
    return user


@pytest.mark.parametrize("name", PLAIN)
def test_a_page_for_visitors_is_ours(client: Client, name: str) -> None:
    response = client.get(reverse(name), follow=True)

    assert response.status_code == 200
    if response.request["PATH_INFO"].startswith("/accounts/"):
        assert_is_ours(response.text)


@pytest.mark.parametrize("name", PLAIN)
def test_a_page_for_members_is_ours(client: Client, member: User, name: str) -> None:
    client.force_login(member)

    response = client.get(reverse(name), follow=True)

    assert response.status_code == 200
    if response.request["PATH_INFO"].startswith("/accounts/"):
        assert_is_ours(response.text)


def test_the_walk_meets_the_pages_that_matter() -> None:
    assert {"account_login", "account_signup", "account_email", "account_reauthenticate"} <= set(
        PLAIN
    )


def test_the_page_that_confirms_an_address_is_ours(client: Client, member: User) -> None:
    address = EmailAddress.objects.get(user=member, verified=False)

    for key in (EmailConfirmationHMAC(address).key, "wrong"):
        assert_is_ours(client.get(reverse("account_confirm_email", args=[key])).text)


def test_the_page_for_a_new_password_is_ours(client: Client, member: User) -> None:
    key = default_token_generator.make_token(member)

    for token in (key, "wrong"):
        url = reverse("account_reset_password_from_key", args=[user_pk_to_url_str(member), token])
        response = client.get(url, follow=True)
        assert ('name="password1"' in response.text) == (token == key)
        assert_is_ours(response.text)


def test_a_login_that_fails_says_so_first(client: Client, member: User) -> None:
    page = client.post(reverse("account_login"), {"login": member.email, "password": "wrong"}).text

    assert_is_ours(page)
    assert '<div role="alert" tabindex="-1" autofocus' in page


def test_the_page_of_a_single_address_is_ours(
    client: Client, member: User, settings: Settings
) -> None:
    settings.ACCOUNT_CHANGE_EMAIL = True
    client.force_login(member)

    page = client.get(reverse("account_email")).text

    assert_is_ours(page)
    assert 'value="second@example.org"' in page


def test_the_page_of_a_phone_number_is_ours(rf: RequestFactory) -> None:
    form = type("PhoneForm", (Form,), {"phone": CharField()})()
    context = {"form": form, "phone": "+4912345", "phone_verified": False}

    assert_is_ours(render_to_string("account/phone_change.html", context, rf.get("/")))


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_ours_and_has_both_forms(name: str, rf: RequestFactory, member: User) -> None:
    tricky = "a&b<c>'d'"
    names = "code email activate_url password_reset_url signup_url from_email to_email "
    names += "deleted_email timestamp ip user_agent"
    context = {**dict.fromkeys(names.split(), tricky), "user": member}

    for part in ("subject.txt", "message.txt", "message.html"):
        assert (OURS / f"{name}_{part}").is_file()
    subject = render_to_string(f"account/email/{name}_subject.txt", context)
    text = render_to_string(f"account/email/{name}_message.txt", context, rf.get("/"))
    page = render_to_string(f"account/email/{name}_message.html", context, rf.get("/"))

    assert 10 < len(subject.strip()) < 60
    assert tricky in text
    assert "&" not in text.replace(tricky, "")
    assert tricky not in page
    assert "a&amp;b&lt;c&gt;" in page
    assert settings.SITE_NAME in text
    assert settings.SITE_NAME in page
