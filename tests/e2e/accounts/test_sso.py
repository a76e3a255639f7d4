"""Single sign-on with a real OpenID provider, which runs beside the stack."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.accounts.identity_provider import PASSWORD
from tests.e2e.conftest import Watch
from tests.e2e.people import HOME, open_mail, sign_in, sign_out, sign_up


def by_realm(page: Page, name: str) -> None:
    """Sign in by the provider, as one of the people that it knows."""
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Example Realm").click()
    page.wait_for_url(re.compile(r"/accounts/login/\?next=/identity"))
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()


def address(page: Page) -> str:
    page.goto("/accounts/email/")
    return page.get_by_role("main").inner_text()


def test_sign_up_login_and_logout(page: Page, watch: Watch) -> None:
    watch.expected.add(404)  # the provider has no icon
    by_realm(page, "known")
    page.wait_for_url(HOME)
    assert "known@example.org" in address(page)

    # The session over there ends with the one here.
    sign_out(page)
    page.wait_for_url(re.compile("/identity/o/logout"))
    page.get_by_role(
        "button", name=re.compile("log ?out|sign ?out|yes", re.IGNORECASE)
    ).first.click()
    page.wait_for_url(HOME)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Example Realm").click()
    page.wait_for_url(re.compile(r"/accounts/login/\?next=/identity"))  # it asks again

    by_realm(page, "known")
    page.wait_for_url(HOME)
    assert "known@example.org" in address(page)


def test_an_account_is_linked_by_its_verified_address(page: Page, watch: Watch) -> None:
    watch.expected.add(404)
    email = sign_up(page, "linked@example.org")
    sign_out(page)

    by_realm(page, "linked")

    page.wait_for_url(HOME)
    page.goto("/accounts/3rdparty/")
    expect(page.get_by_role("main").get_by_text("Example Realm").first).to_be_visible()
    open_mail(page, "Sign-in by Example Realm added")
    # The account has two ways in now.
    page.goto("/accounts/logout/")
    page.context.clear_cookies()
    sign_in(page, email)
    assert email in address(page)


def test_a_refused_link(page: Page, site: str, watch: Watch) -> None:
    watch.expected.add(404)
    email = sign_up(page, "unverified@example.org")
    sign_out(page)

    by_realm(page, "unverified")

    # As for everybody who signs up with an address that is taken.
    page.wait_for_url(f"{site}/accounts/confirm-email/")
    page.goto("/people/me/edit/")
    page.wait_for_url("**/accounts/login/**")
    sign_in(page, email)
    page.goto("/accounts/3rdparty/")
    expect(page.get_by_text("You have none.", exact=False)).to_be_visible()
