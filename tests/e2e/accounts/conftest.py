"""A stack of its own: staff needs a second factor, and a provider vouches for people."""

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apps.devtools.embedded.testing import free_port, free_ports
from tests.e2e.accounts import identity_provider
from tests.e2e.conftest import running_stack

PASSWORD = "a-joint-of-wood-29"
HOME = re.compile(r"^http://localhost:\d+/$")


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    port, provider_port = free_ports(4), free_port()
    script = Path(identity_provider.__file__)
    provider = subprocess.Popen(
        [sys.executable, str(script), str(provider_port), f"http://localhost:{port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdout
    try:
        assert provider.stdout.readline() == "ready\n"
        entry = {
            "id": "realm",
            "name": "Example Realm",
            "issuer": f"http://localhost:{provider_port}",
            "client_id": identity_provider.CLIENT_ID,
            "client_secret": identity_provider.CLIENT_SECRET,
            "trusted": True,
        }
        with running_stack(
            port,
            OIDC_PROVIDERS=json.dumps([entry]),
            MFA_REQUIRED_FOR_STAFF="true",
        ) as address:
            yield address
    finally:
        provider.terminate()
        provider.wait(10)
        provider.stdout.close()


def sign_up(page: Page, email: str = "") -> str:
    """Sign up as somebody new, by the link in the caught mail, and return the address."""
    email = email or f"{uuid.uuid4().hex[:12]}@example.org"
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label(re.compile(r"Password \(again\)")).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/accounts/confirm-email/")
    open_mail(page, email)
    page.locator("a[href*='/accounts/confirm-email/']").first.click()
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(HOME)
    return email


def open_mail(page: Page, text: str) -> None:
    """Open the newest caught mail whose line in the mailbox has this text."""
    page.goto("/dev/mailbox/")
    # The task that sends the mail may still be on its way.
    for _ in range(40):
        if page.get_by_role("link").filter(has_text=text).count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_role("link").filter(has_text=text).first.click()


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name=re.compile("Sign out|Log out")).click()
    page.wait_for_load_state()


def prove(page: Page, password: str = PASSWORD) -> None:
    """Enter the password once more, as the page under way asks."""
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name=re.compile("Confirm|Continue")).click()
    page.wait_for_load_state()
