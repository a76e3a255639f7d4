"""Every page in both themes, on wide and narrow screens, without errors or overflow."""

from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from tests.e2e.people import DEMO_PASSWORD, HOME, sign_in

PUBLIC = [
    "/",
    "/articles/",
    "/articles/?q=design&category=design",
    "/articles/?q=zzzz",
    "/articles/dashboard/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/dev/mailbox/",
    "/dev/mail/",
]
PRIVATE = [
    "/articles/new/",
    "/articles/mine/",
    "/articles/trash/",
    "/people/me/edit/",
    "/people/me/tokens/",
    "/people/me/mail/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
]


def look_at(page: Page, path: str) -> None:
    """Open a page and show it in each theme and width. The `watch` fixture collects problems."""
    page.goto(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator("h1")).to_have_count(1)
            root = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert root[0] <= root[1], f"{path} is {root[0]} px wide on a {width} px screen"


def test_public_pages_load_without_problems(page: Page) -> None:
    for path in PUBLIC:
        look_at(page, path)
    for link in ("h2 a[href^='/articles/']", "a[href^='/people/']"):
        page.goto("/articles/")
        target = page.get_by_role("main").locator(link).first
        look_at(page, str(target.get_attribute("href")))


def test_private_pages_load_without_problems(page: Page) -> None:
    sign_in(page, "editor@example.com", DEMO_PASSWORD)
    page.wait_for_url(HOME)
    for path in PRIVATE:
        look_at(page, path)


def test_chosen_theme_is_rendered_by_the_server_and_stays(page: Page) -> None:
    preferences: dict[str, Literal["light", "dark"]] = {"light": "dark", "dark": "light"}
    for theme, preferred in preferences.items():
        page.emulate_media(color_scheme=preferred)
        page.goto("/")
        port = urlsplit(page.url).port
        page.context.add_cookies(
            [{"name": f"theme_{port}", "value": theme, "domain": "localhost", "path": "/"}]
        )
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        page.get_by_role("link", name="Articles").first.click()
        page.wait_for_url("**/articles/")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_site_works_without_javascript(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "editor@example.com", DEMO_PASSWORD)
    page.wait_for_url(HOME)
    page.goto("/articles/?q=the&category=design")
    expect(page.locator("h1")).to_have_count(1)
    page.goto("/articles/new/")
    page.get_by_label("Title").fill("Without a script")
    page.get_by_label("Body").fill("It works.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Without a script")).to_be_visible()
    context.close()


def test_browser_knows_the_features_that_are_denied(page: Page) -> None:
    """Kind: a misspelled name, which denies nothing; a feature that a page uses."""
    page.goto("/accounts/login/")
    known = set(page.evaluate("document.featurePolicy.features()"))
    allowed = set(page.evaluate("document.featurePolicy.allowedFeatures()"))

    assert {"publickey-credentials-get", "publickey-credentials-create", "clipboard-write"} <= (
        allowed
    )
    assert allowed & set(settings.DENIED_FEATURES) == set()
    # An older browser knows fewer, and a newer one others.
    assert len(set(settings.DENIED_FEATURES) - known) <= 6
    assert len({name for name in allowed if not name.startswith("ch-")}) <= 12


def test_font_is_loaded_with_the_style_sheet_and_once(page: Page) -> None:
    """Kind: a font that the browser learns of from the style sheet, after text is shown."""
    page.goto("/")
    page.evaluate("document.fonts.ready")

    loads = page.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.name.endsWith('.woff2'))"
        ".map(one => one.initiatorType)"
    )
    assert loads == ["link"]
