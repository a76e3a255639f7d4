"""What people do in a browser again and again: sign up, sign in, open their mail, sign out."""

import re
import uuid

from playwright.sync_api import Page

PASSWORD = "a-joint-of-wood-29"
DEMO_PASSWORD = "dovetail-demo"
HOME = re.compile(r"^http://localhost:\d+/$")


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
