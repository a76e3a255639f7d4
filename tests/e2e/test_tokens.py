"""A person makes an access token in the browser, and a program uses it."""

import re
from http import HTTPStatus

from playwright.sync_api import Browser, Page, expect

from tests.e2e.people import DEMO_PASSWORD, HOME, READER, sign_in
from tests.e2e.test_pages import look_at


def test_token_is_made_used_and_revoked(browser: Browser, page: Page, site: str) -> None:
    sign_in(page, READER, DEMO_PASSWORD)
    page.wait_for_url(HOME)
    page.goto("/people/me/tokens/")
    page.get_by_role("link", name="New token").click()
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/people/me/tokens/new/")
    look_at(page, "/people/me/tokens/new/")

    page.get_by_label("Name").fill("W" * 80)
    page.get_by_label("Read, search and count articles").check()
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new access token")
    token = page.locator("#token").inner_text()
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_role("link", name=re.compile("saved it$")).click()
    page.wait_for_url("**/people/me/tokens/")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("New access token")
    assert token not in page.content()

    look_at(page, "/people/me/tokens/")
    program = browser.new_context(
        base_url=site, extra_http_headers={"Authorization": f"Bearer {token}"}
    ).request
    assert program.get("/api/v1/articles/trash/").status == HTTPStatus.OK
    page.get_by_role("button", name=re.compile("^Revoke")).click()
    expect(page.get_by_text("You have no tokens.")).to_be_visible()
    assert program.get("/api/v1/articles/trash/").status == HTTPStatus.UNAUTHORIZED
