"""Kind: text of people that is wider than the screen. No page may scroll sideways because of it."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Visit, Watch
from tests.e2e.people import READER, comments, sign_up

WIDTHS = (320, 375, 640, 768, 1024, 1280)
# Without a place to break: wide letters, an address, and a script without spaces.
WORDS = ("W" * 400, "https://example.org/" + "a-/" * 130 + "m" * 60, "ก" * 400)


def hostile(length: int, *, words: tuple[str, ...] = WORDS) -> str:
    """Return these words, shortened alike, so that they fit into a field."""
    return " ".join(word[: (length - 2) // len(words)] for word in words)


def overflow(page: Page) -> list[str]:
    """Return what is wider than the screen, unless it scrolls or is clipped in its own box."""
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth
          if (document.documentElement.scrollWidth <= width) return []
          return Array.from(document.querySelectorAll("body *"))
            .filter((element) => element.getBoundingClientRect().right > width + 0.5)
            .map((element) => element.outerHTML.slice(0, 120)).slice(-4)
        }"""
    )
    return found


def check(page: Page, path: str) -> None:
    page.goto(path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found = overflow(page)
        assert not found, f"{path} is too wide on a screen of {width} px: {found}"
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.long("visits every page in six widths")
def test_long_words_never_make_a_page_scroll_sideways(
    page: Page, visit: Visit, watch: Watch
) -> None:
    """Kind: any text of people, on any page, from 320 to 1280 px."""
    watch.expected.add(422)
    wide, address = WORDS[:1], WORDS[1:2]
    sign_up(page)
    page.goto("/people/me/edit/")
    page.get_by_label("Display name").fill(hostile(80, words=wide))
    page.get_by_label("Biography").fill(hostile(600))
    page.get_by_role("button", name="Save profile").click()
    expect(page.get_by_text("Profile saved.").first).to_be_visible()

    page.goto("/articles/new/")
    page.get_by_label("Title").fill(hostile(140, words=wide))
    page.get_by_label("Summary").fill(hostile(300, words=address))
    page.get_by_label("Body").fill(hostile(1200))
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.", exact=False).first).to_be_visible()
    path = urlsplit(page.url).path
    profile = page.locator("article a[href^='/people/']").first.get_attribute("href")

    reader = visit(READER)
    reader.goto(path)
    comments(reader)
    reader.get_by_role("main").get_by_role("textbox").fill(hostile(1200))
    reader.get_by_role("button", name="Comment", exact=True).click()
    expect(reader.get_by_role("log").locator("turbo-frame")).to_have_count(1)
    check_comments(reader, path)

    search = f"/articles/?q={hostile(150, words=wide)}"
    for public in (path, f"{path}comments/", str(profile), "/articles/", search, "/"):
        check(reader, public)
    author = re.search(r"[0-9a-f-]{36}", str(profile))
    assert author
    check(reader, f"/articles/?author={author[0]}")
    check(reader, f"/articles/?q={hostile(60, words=wide)}&author={author[0]}&category=engineering")
    for private in (
        "/articles/mine/",
        f"{path}edit/",
        f"{path}deletion/",
        "/people/me/edit/",
        "/people/me/notifications/",
        "/accounts/email/",
        "/",
    ):
        check(page, private)

    page.goto(f"{path}deletion/")
    page.get_by_role("main").get_by_role("button", name=re.compile("Delete|trash")).first.click()
    page.wait_for_url("**/articles/trash/")
    check(page, "/articles/trash/")


def check_comments(page: Page, path: str) -> None:
    """The comments are loaded when they scroll into view, on each width."""
    page.goto(path)
    comments(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert not overflow(page)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_long_words_in_a_message_and_a_dialog_stay_on_the_screen(page: Page) -> None:
    """Kind: text of people in what is laid over the page: toasts and questions."""
    page.goto("/")
    page.evaluate(
        """(word) => {
          const toast = document.querySelector("#unsaved").content.cloneNode(true)
          toast.querySelector("p").textContent = word
          document.querySelector("#toasts").append(toast)
          document.querySelector("#confirmation [data-message]").textContent = word
          document.querySelector("#confirmation").showModal()
        }""",
        WORDS[0],
    )
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert not overflow(page)
        for box in ("#toasts p", "#confirmation p"):
            place = page.locator(box).bounding_box()
            assert place
            assert place["x"] >= 0
            assert place["x"] + place["width"] <= width
