"""A user's way through the application, from sign-up to a restored article."""

import re
import uuid

from playwright.sync_api import Page, expect

from tests.e2e.conftest import DETAIL, Watch
from tests.e2e.people import DEMO_PASSWORD, HOME, sign_in, sign_out, sign_up, sign_up_by_hand


def write(page: Page, title: str) -> None:
    page.goto("/articles/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Summary").fill("How two boards hold one another.")
    page.get_by_label("Body").fill("Cut the tails first.\n\nThen the pins.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_article_is_written_published_found_deleted_and_restored(page: Page) -> None:
    sign_up_by_hand(page)
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


@DETAIL
def test_invalid_form_shows_errors_and_keeps_the_input(page: Page, watch: Watch) -> None:
    watch.expected.add(422)
    sign_up(page)
    page.goto("/articles/new/")
    page.get_by_label("Title").fill("Half an article")
    page.locator("form[novalidate], form").last.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Save").click()

    body = page.get_by_label("Body")
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Title")).to_have_value("Half an article")


def test_demo_user_signs_in_and_out(page: Page) -> None:
    sign_in(page, "reader@example.com", DEMO_PASSWORD)
    page.wait_for_url(HOME)

    sign_out(page)
    page.wait_for_url(HOME)
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
