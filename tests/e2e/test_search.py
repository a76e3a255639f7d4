"""Searching in a browser: while typing, with filters, and by a shared URL."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DETAIL
from tests.e2e.people import is_marked, mark

WORDS = "code reviews"  # the demo has articles about these, one of them in another category


def test_results_and_filters_update_while_typing(page: Page, browser: Browser) -> None:
    page.goto("/articles/")
    mark(page)
    box = page.get_by_role("main").get_by_role("searchbox")
    filters = page.get_by_role("navigation", name="Category").get_by_role("link")
    everything = filters.all_inner_texts()

    box.press_sequentially("code rev", delay=30)
    expect(page.locator("mark").first).to_have_text(re.compile("review|code", re.IGNORECASE))
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("for “code rev”")
    expect(page).to_have_url(re.compile(r"/articles/\?q=code\+rev$"))
    assert filters.all_inner_texts() != everything
    expect(box).to_be_focused()

    choice = page.get_by_role("link", name=re.compile("^Culture"))
    choice.click()
    expect(choice).to_have_attribute("aria-current", "true")
    expect(choice).to_be_focused()
    expect(page).to_have_url(re.compile("q=code.rev&category=culture$"))
    titles = page.get_by_role("main").get_by_role("heading", level=2)
    count = titles.count()
    assert count > 0

    box.press("End")
    box.press_sequentially("iews", delay=30)
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("for “code reviews”")
    expect(page).to_have_url(re.compile(r"q=code\+reviews&category=culture$"))
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_role("link", name="Newest")).to_have_attribute("aria-current", "true")
    assert is_marked(page)

    shared = titles.all_inner_texts()
    with browser.new_context() as elsewhere:
        other = elsewhere.new_page()
        other.goto(page.url)
        assert other.get_by_role("main").get_by_role("heading", level=2).all_inner_texts() == shared
        expect(other.get_by_role("main").get_by_role("searchbox")).to_have_value("code reviews")


@DETAIL
def test_misspelled_word_gets_a_suggestion(page: Page) -> None:
    page.goto("/articles/")
    page.get_by_role("main").get_by_role("searchbox").fill("reviwes")
    expect(page.get_by_text("Did you mean this?")).to_be_visible()

    page.get_by_role("main").get_by_role("link", name="reviews", exact=True).click()

    expect(page.locator("mark").first).to_be_visible()
    expect(page.get_by_role("main").get_by_role("searchbox")).to_have_value("reviews")


def test_result_opens_as_a_page(page: Page) -> None:
    page.goto("/articles/?q=reviews")
    link = page.get_by_role("main").get_by_role("heading", level=2).first.get_by_role("link")
    title = link.inner_text()

    link.click()

    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.go_back()
    expect(page.locator("mark").first).to_be_visible()


def test_search_works_without_javascript(browser: Browser, site: str) -> None:
    with browser.new_context(base_url=site, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/articles/?category=culture")
        page.get_by_role("main").get_by_role("searchbox").fill(WORDS)
        page.get_by_role("main").get_by_role("button", name="Search").click()

        expect(page).to_have_url(re.compile(r"q=code\+reviews&category=culture$"))
        expect(page.locator("mark").first).to_be_visible()
        page.get_by_role("link", name=re.compile("^Culture")).click()
        expect(page).to_have_url(re.compile(r"\?q=code\+reviews$"))


@DETAIL
def test_statistics_have_a_chart_and_a_table(page: Page) -> None:
    page.goto("/articles/")
    page.get_by_role("link", name="Statistics").click()
    expect(page.get_by_role("heading", level=1, name="Statistics")).to_be_visible()

    chart = page.get_by_role("img", name=re.compile("last 26 weeks"))
    expect(chart).to_be_visible()
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("table").first.get_by_role("row")).to_have_count(27)


@DETAIL
def test_narrow_screen_does_not_scroll_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for path in ("", "?q=reviews", "?q=reviews&category=culture", "dashboard/"):
        page.goto(f"/articles/{path}")
        assert page.evaluate(overflow) == 0, path
