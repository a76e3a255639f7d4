"""Every mail has a preview, and each preview can be seen, in development only."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django.fixtures import Settings

from dovetail.mail import previews

pytestmark = pytest.mark.django_db
TEMPLATES = Path(django_settings.TEMPLATES[0]["DIRS"][0])
SUFFIX = "_subject.txt"
PREVIEWS = {preview.key: preview for preview in previews.all_previews()}


@pytest.fixture(autouse=True)
def _in_debug(settings: Settings) -> None:
    settings.DEBUG = True


def test_every_mail_has_a_preview() -> None:
    """Kind: a new mail that was never looked at in the layout."""
    mails = {
        path.relative_to(TEMPLATES).as_posix().removesuffix(SUFFIX)
        for path in TEMPLATES.rglob(f"*{SUFFIX}")
    }

    assert len(mails) > 20
    assert mails == {preview.prefix for preview in PREVIEWS.values()}


@pytest.mark.parametrize("key", PREVIEWS)
def test_preview_has_all_that_it_needs(key: str) -> None:
    message = PREVIEWS[key].make()
    light, dark = (previews.html(message, scheme) for scheme in ("light", "dark"))

    assert message.subject
    for part in (str(message.subject), str(message.body), light):
        assert not re.search(r"\{\{|\{%|None\b|\(\)", part)
    assert not re.search(r"&\w+;", f"{message.subject} {message.body}")
    assert len(light.encode()) < 20_000  # far from where Gmail clips it
    assert "@media all" in dark
    assert "@media not all" in light
    assert 'content="dark"' in dark


def test_list_leads_to_each_preview(client: Client) -> None:
    page = client.get("/dev/mail/").text

    for key in PREVIEWS:
        assert f'href="/dev/mail/{key}/"' in page


def test_preview_shows_both_schemes_and_the_text(client: Client) -> None:
    page = client.get("/dev/mail/account-login_code/").text

    for scheme in ("light", "dark"):
        assert f'<iframe sandbox src="/dev/mail/account-login_code/{scheme}/"' in page
    assert "Your sign-in code" in page
    assert "Enter this code in your open browser window to sign in" in page
    body = client.get("/dev/mail/account-login_code/dark/")
    assert "H7K2-9QX4" in body.text
    assert body["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert body["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("path", ["", "account-login_code/", "account-login_code/dark/"])
def test_previews_are_404_without_debug(client: Client, settings: Settings, path: str) -> None:
    assert client.get(f"/dev/mail/{path}").status_code == 200
    settings.DEBUG = False
    assert client.get(f"/dev/mail/{path}").status_code == 404


@pytest.mark.parametrize("path", ["nothing/", "nothing/dark/", "account-login_code/blue/"])
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert client.get(f"/dev/mail/{path}").status_code == 404
