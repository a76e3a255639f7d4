"""A person's way through the application, from sign-up to a restored article."""

import re
import uuid

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Watch

PASSWORD = "a-joint-of-wood-29"


def sign_up(page: Page) -> str:
    """Sign up as somebody new, by the link in the caught mail, and return the address."""
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label(re.compile(r"Password \(again\)")).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/accounts/confirm-email/")

    page.goto("/dev/mailbox/")
    # The task that sends the mail may still be on its way.
    for _ in range(20):
        if page.get_by_text(email).count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_role("link").filter(has_text=email).first.click()
    page.get_by_role("link").filter(has_text="/accounts/confirm-email/").first.click()
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/")
    return email


def write(page: Page, title: str) -> None:
    page.goto("/articles/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Summary").fill("How two boards hold one another.")
    page.get_by_label("Body").fill("Cut the tails first.\n\nThen the pins.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_sign_up_write_publish_find_delete_restore(page: Page) -> None:
    sign_up(page)
    title = f"Dovetails {uuid.uuid4().hex[:8]}"
    write(page, title)

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.", exact=False).first).to_be_visible()

    page.goto("/articles/")
    page.get_by_role("main").get_by_role("searchbox").fill(title)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"[?&]q="))
    page.get_by_role("link", name=title).first.click()

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/articles/trash/")
    expect(page.get_by_text(title).first).to_be_visible()

    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_a_form_with_errors_says_so_and_keeps_what_was_typed(page: Page, watch: Watch) -> None:
    watch.expected.add(422)
    sign_up(page)
    page.goto("/articles/new/")
    page.get_by_label("Title").fill("Half an article")
    page.locator("form[novalidate], form").last.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Save").click()

    body = page.get_by_label("Body")
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Title")).to_have_value("Half an article")


def test_a_demo_user_logs_in_and_out(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill("reader@example.com")
    page.get_by_label("Password").fill("dovetail-demo")
    page.get_by_role("main").get_by_role("button", name=re.compile("Log in|Sign in")).click()
    page.wait_for_url("**/")

    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name=re.compile("Log out|Sign out")).click()
    page.wait_for_url("**/")
    expect(page.get_by_role("link", name=re.compile("Log in|Sign in")).first).to_be_visible()
