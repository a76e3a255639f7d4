"""Steps that many tests share: sign up, sign in, open a mail, publish, sign out."""

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from playwright.sync_api import Page, Route, expect

PASSWORD = "a-joint-of-wood-29"
AUTHOR = "ines.okafor@example.com"
READER = "reader@example.com"
DEMO_PASSWORD = f"{settings.PROJECT_NAME}-demo"
HOME = re.compile(r"^http://localhost:\d+/$")


def sign_up(page: Page, email: str = "") -> str:
    """Sign up as a new user, with the link in the confirmation mail, and return the address."""
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
    """Open the latest mail whose row in the mailbox contains this text."""
    page.goto("/dev/mailbox/")
    # The task that sends the mail may not have run yet.
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


def reauthenticate(page: Page, password: str = PASSWORD) -> None:
    """Reauthenticate with the password, on the page that asks for it."""
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name=re.compile("Confirm|Continue")).click()
    page.wait_for_load_state()


def publish(page: Page, title: str) -> str:
    """Write and publish an article, and return its path."""
    page.goto("/articles/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Body").fill("Cut the tails first. " * 400)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.", exact=False).first).to_be_visible()
    return "/articles/" + page.url.rstrip("/").rpartition("/")[2] + "/"


def follow(page: Page, path: str) -> None:
    """Open a page and wait until it is subscribed to all its streams."""
    page.goto(path)
    expect(page.locator("turbo-cable-stream-source").first).to_be_attached()
    expect(page.locator("turbo-cable-stream-source:not([connected])")).to_have_count(0)


def mark(page: Page) -> None:
    """Mark the window. Turbo visits keep the mark, a full page load removes it."""
    page.evaluate("window.marked = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def title() -> str:
    return f"Joints {uuid.uuid4().hex[:8]}"


def comments(page: Page) -> None:
    """Scroll to the comments, which loads them."""
    page.get_by_role("heading", name="Comments").or_(
        page.get_by_role("link", name="Read the comments")
    ).first.scroll_into_view_if_needed()
    expect(page.get_by_role("heading", name="Comments")).to_be_visible()


def hold(page: Page, url: str) -> list[Route]:
    """Hold the next request to this URL, and return a list that its route is added to."""
    held: list[Route] = []
    page.route(url, lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright sets attributes on the function
    return held


def wait_until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for a condition while the page keeps running."""
    for _ in range(150):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("Timed out waiting for the condition")
