"""A browser on the deployed site: what it accepts, and no test client would refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import TIMEOUT, Watch, launcher
from tests.production.conftest import EMAIL, PASSWORD, Site
from tests.production.test_production import picture


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(site: Site, watch: Watch) -> Iterator[Page]:
    """Return a visitor's page; any problem on it fails the test."""
    with sync_playwright() as playwright:
        browser = launcher(playwright)()
        context = browser.new_context(base_url=site.proxy.https, ignore_https_errors=True)
        context.set_default_timeout(TIMEOUT)
        page = context.new_page()
        watch.on(page)
        yield page
        browser.close()
    assert watch.problems == []


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/")


def test_browser_accepts_the_cookies_the_upload_and_the_socket(page: Page) -> None:
    """Kind: a production that boots, and whose parts do not reach the browser."""
    sign_in(page)
    names = {cookie["name"] for cookie in page.context.cookies()}
    assert {"__Host-sessionid", "__Host-csrftoken"} <= names

    page.goto("/people/me/edit/")
    page.get_by_label("Avatar").set_input_files(
        {"name": "ada.png", "mimeType": "image/png", "buffer": picture()}
    )
    page.get_by_role("button", name="Save").click()
    avatar = page.locator("img[src^='/media/avatars/']").first
    expect(avatar).to_be_visible()
    expect(avatar).to_have_js_property("naturalWidth", 512)

    page.goto("/articles/")
    expect(page.locator("turbo-cable-stream-source").first).to_be_attached()
    expect(page.locator("turbo-cable-stream-source:not([connected])")).to_have_count(0)


def test_file_that_is_refused_unread_loses_no_text(
    page: Page, watch: Watch, tmp_path: Path
) -> None:
    """Kind: a connection that closes while a browser sends, and takes what was typed with it."""
    large = tmp_path / "ada.png"
    large.write_bytes(bytes(40 * 1024 * 1024))
    watch.expected.add(413)
    sign_in(page)
    page.goto("/people/me/edit/")
    page.get_by_label("Biography").fill("A joiner of wood and words.")
    avatar = page.get_by_label("Avatar")
    avatar.evaluate("input => input.removeAttribute('data-action')")  # it would be refused before
    avatar.set_input_files(large)
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("too large. Choose a smaller file")
    expect(page.get_by_label("Biography")).to_have_value("A joiner of wood and words.")
