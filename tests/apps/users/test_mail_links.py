"""Links in mails lead to SITE_URL, whichever host a request names."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, add_totp, reauthenticate
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("allow_session_queries")]
SITE = "https://site.example"
OTHER = "evil.other.example"  # allowed, but not where the links should lead


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
    settings.SITE_URL = SITE
    settings.ALLOWED_HOSTS = ["site.example", ".other.example"]


def test_every_link_in_a_mail_leads_to_the_site(
    member: User, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    """Kind: a link built from the Host header, which leads to whoever asked for the mail."""
    pending = make_user("pending@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=pending, email=pending.email, primary=True)
    browser = Client(headers={"host": OTHER})

    for email in ("new@example.org", member.email):
        data = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
        browser.post("/accounts/signup/", data)
    for email in (member.email, "nobody@example.org"):
        browser.post("/accounts/password/reset/", {"email": email})
    browser.post("/accounts/login/", {"login": pending.email, "password": PASSWORD})
    browser.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    reauthenticate(browser)
    browser.post("/accounts/email/", {"action_add": "", "email": "more@example.org"})
    add_totp(member)
    browser.post("/accounts/2fa/recovery-codes/generate/")
    browser.post("/people/me/data/exports/")
    new = {"oldpassword": PASSWORD, "password1": "another-oak-31", "password2": "another-oak-31"}
    browser.post("/accounts/password/change/", new)

    links = [
        link
        for mail in mailoutbox
        for body in (mail.body, *(str(part[0]) for part in mail.alternatives))
        for link in re.findall(r"https?://[^\s\"<>]+", str(body))
    ]
    assert len(mailoutbox) >= 7
    assert len(links) >= 9
    assert [link for link in links if not link.startswith(f"{SITE}/")] == []
    assert not any(OTHER in str(mail.message()) for mail in mailoutbox)
