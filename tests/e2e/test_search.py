"""Searching as a person does it: while typing, by filters, by an address from somebody else."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

WORDS = "code reviews"  # the demo has articles about them, one outside of its category


def stay(page: Page) -> None:
    """Leave a sign that a full load of the page would take away."""
    page.evaluate("window.stayed = true")


def stayed(page: Page) -> bool:
    return bool(page.evaluate("window.stayed === true"))


def test_results_and_filters_follow_what_is_typed(page: Page, browser: Browser) -> None:
    page.goto("/articles/")
    stay(page)
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
    assert stayed(page)

    shared = titles.all_inner_texts()
    with browser.new_context() as elsewhere:
        other = elsewhere.new_page()
        other.goto(page.url)
        assert other.get_by_role("main").get_by_role("heading", level=2).all_inner_texts() == shared
        expect(other.get_by_role("main").get_by_role("searchbox")).to_have_value("code reviews")


def test_a_typing_error_is_answered_with_what_was_meant(page: Page) -> None:
    page.goto("/articles/")
    page.get_by_role("main").get_by_role("searchbox").fill("reviwes")
    expect(page.get_by_text("Did you mean this?")).to_be_visible()

    page.get_by_role("main").get_by_role("link", name="reviews", exact=True).click()

    expect(page.locator("mark").first).to_be_visible()
    expect(page.get_by_role("main").get_by_role("searchbox")).to_have_value("reviews")


def test_a_result_opens_as_a_page(page: Page) -> None:
    page.goto("/articles/?q=reviews")
    link = page.get_by_role("main").get_by_role("heading", level=2).first.get_by_role("link")
    title = link.inner_text()

    link.click()

    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.go_back()
    expect(page.locator("mark").first).to_be_visible()


def test_it_works_without_scripts(browser: Browser, site: str) -> None:
    with browser.new_context(base_url=site, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/articles/?category=culture")
        page.get_by_role("main").get_by_role("searchbox").fill(WORDS)
        page.get_by_role("main").get_by_role("button", name="Search").click()

        expect(page).to_have_url(re.compile(r"q=code\+reviews&category=culture$"))
        expect(page.locator("mark").first).to_be_visible()
        page.get_by_role("link", name=re.compile("^Culture")).click()
        expect(page).to_have_url(re.compile(r"\?q=code\+reviews$"))


def test_the_figures_have_their_table(page: Page) -> None:
    page.goto("/articles/")
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_role("heading", level=1, name="Figures")).to_be_visible()

    chart = page.get_by_role("img", name=re.compile("last 26 weeks"))
    expect(chart).to_be_visible()
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("table").first.get_by_role("row")).to_have_count(27)


@pytest.mark.parametrize("path", ["", "?q=reviews", "?q=reviews&category=culture", "dashboard/"])
def test_a_narrow_screen_scrolls_in_one_direction(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"/articles/{path}")

    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
