"""Single sign-on with a real OpenID provider that runs beside the stack."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.accounts.identity_provider import PASSWORD
from tests.e2e.conftest import Watch
from tests.e2e.people import (
    HOME,
    PASSWORD as SITE_PASSWORD,
    open_mail,
    sign_in,
    sign_out,
    sign_up,
    wait_until,
)


def sign_in_with_provider(page: Page, name: str) -> None:
    """Sign in with the provider, as one of its users."""
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
    sign_in_with_provider(page, "known")
    page.wait_for_url(HOME)
    assert "known@example.org" in address(page)

    # Signing out here also ends the session at the provider.
    sign_out(page)
    page.wait_for_url(re.compile("/identity/o/logout"))
    page.get_by_role(
        "button", name=re.compile("log ?out|sign ?out|yes", re.IGNORECASE)
    ).first.click()
    page.wait_for_url(HOME)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Example Realm").click()
    page.wait_for_url(re.compile(r"/accounts/login/\?next=/identity"))  # it asks to log in again

    sign_in_with_provider(page, "known")
    page.wait_for_url(HOME)
    assert "known@example.org" in address(page)


def test_account_with_a_password_is_connected_after_a_sign_in(page: Page, watch: Watch) -> None:
    watch.expected.add(404)
    watch.expected.add(403)  # the page that asks to sign in
    email = sign_up(page, "linked@example.org")
    sign_out(page)

    sign_in_with_provider(page, "linked")
    expect(page.get_by_role("heading", name="You already have an account")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(SITE_PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/accounts/3rdparty/")
    page.get_by_role("main").get_by_role("button", name="Example Realm").click()
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_label("Password", exact=True).fill(SITE_PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/accounts/3rdparty/")
    expect(page.get_by_role("main").get_by_text("Example Realm").first).to_be_visible()
    open_mail(page, "Sign-in with Example Realm added")

    page.context.clear_cookies()
    sign_in_with_provider(page, "linked")
    page.wait_for_url(HOME)
    assert email in address(page)


def test_unverified_address_does_not_link(page: Page, site: str, watch: Watch) -> None:
    watch.expected.add(404)
    watch.expected.add(422)
    email = sign_up(page, "unverified@example.org")
    sign_out(page)

    sign_in_with_provider(page, "unverified")

    # The same page as for anyone who signs up with an address that is taken.
    page.wait_for_url(re.compile(r"/accounts/(3rdparty/signup|signup/confirm)/"))

    def is_asked_for_the_code() -> bool:
        if page.url != f"{site}/accounts/signup/confirm/":  # the sign-up has just caused a mail
            page.wait_for_timeout(1000)  # each attempt hashes a password
            page.get_by_role("main").get_by_role("button", name="Sign Up").click()
            page.wait_for_load_state()
        return page.url == f"{site}/accounts/signup/confirm/"

    wait_until(page, is_asked_for_the_code)
    page.goto("/people/me/edit/")
    page.wait_for_url("**/accounts/login/**")
    sign_in(page, email)
    page.goto("/accounts/3rdparty/")
    expect(page.get_by_text("Connect one to sign in", exact=False)).to_be_visible()
