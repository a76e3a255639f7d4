"""Turbo visits, frames and forms in a browser."""

import re
from typing import Literal

from django.conf import settings
from playwright.sync_api import Page, Playwright, expect

from tests.e2e.conftest import CHROMIUM, DETAIL, Visit, Watch, launcher
from tests.e2e.people import (
    AUTHOR,
    READER,
    comments,
    follow,
    hold,
    is_marked,
    mark,
    publish,
    scroll_to,
    title,
    wait_until,
)

DIALOG = "#confirmation"


def comment(page: Page, text: str) -> None:
    page.get_by_role("main").get_by_role("textbox").fill(text)
    page.get_by_role("button", name="Comment", exact=True).click()


def revise(page: Page, path: str, name: str) -> None:
    """Change the title of an article, which refreshes the pages that show it."""
    page.goto(f"{path}edit/")
    page.get_by_label("Title").fill(name)
    page.get_by_role("button", name="Save").click()


def focused(page: Page) -> str:
    """Return the tag and id of the focused element."""
    return str(page.evaluate("document.activeElement.localName + '#' + document.activeElement.id"))


@DETAIL
def test_refresh_keeps_the_buttons_of_own_comments(visit: Visit) -> None:
    author, reader = visit(AUTHOR), visit(READER)
    path = publish(author, title())
    follow(reader, path)
    comments(reader)
    comment(reader, "Mine to edit.")
    edit = reader.get_by_role("link", name="Edit your comment")
    expect(edit).to_be_visible()
    # The morph removes this attribute, which shows that it has reached the comment.
    edit.locator("..").evaluate("element => element.setAttribute('data-before', '')")

    revise(author, path, title())

    expect(reader.locator("[data-before]")).to_have_count(0)
    expect(edit).to_be_visible()


@DETAIL
def test_error_in_a_frame_takes_the_focus_only_once(visit: Visit, watch: Watch) -> None:
    watch.expected.add(422)
    author, reader = visit(AUTHOR), visit(READER)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    comments(reader)

    reader.get_by_role("button", name="Comment", exact=True).click()
    expect(reader.locator("textarea[aria-invalid=true]")).to_be_focused()

    link = reader.get_by_role("link", name=settings.SITE_NAME).first
    link.focus()
    revise(author, path, f"{name} revised")
    expect(reader.get_by_role("heading", name=f"{name} revised")).to_be_attached()
    reader.wait_for_timeout(500)
    expect(link).to_be_focused()


@DETAIL
def test_confirmation_is_canceled_when_its_page_is_left(visit: Visit) -> None:
    reader = visit(READER)
    path = publish(visit(AUTHOR), title())
    reader.goto("/articles/")
    reader.locator(f"a[href='{path}']").first.click()
    comments(reader)
    comment(reader, "To be deleted.")
    delete = reader.get_by_role("button", name="Delete your comment")
    dialog = reader.locator(DIALOG)
    delete.click()
    expect(reader.locator(f"{DIALOG}:modal")).to_be_visible()

    reader.evaluate("history.back()")
    reader.wait_for_url("**/articles/")
    expect(dialog).not_to_have_attribute("open", "")

    reader.evaluate("history.forward()")
    comments(reader)
    delete.click()
    expect(reader.locator(f"{DIALOG}:modal")).to_be_visible()
    dialog.get_by_role("button", name="Continue").click()
    expect(reader.get_by_text("To be deleted.")).to_have_count(0)


def test_failed_frame_keeps_unsaved_input_or_shows_the_page(visit: Visit, watch: Watch) -> None:
    watch.expected.add(404)
    author, writer, reader = visit(AUTHOR), visit(READER), visit()
    path = publish(author, title())
    for page in (writer, reader):
        # These pages receive no broadcasts.
        page.route_web_socket(re.compile("/cable$"), lambda socket: None)  # noqa: ARG005
        page.goto(path)
    comments(writer)
    author.get_by_role("button", name="Revert to draft").click()
    expect(author.get_by_role("button", name="Publish")).to_be_visible()

    comment(writer, "Half an hour of work.")
    expect(writer.get_by_text("This couldn\u2019t be saved.")).to_be_visible()
    expect(writer.get_by_role("main").get_by_role("textbox")).to_have_value("Half an hour of work.")

    scroll_to(reader.get_by_role("link", name="Read the comments"))
    reader.wait_for_url("**/comments/")
    expect(reader.get_by_text("Content missing")).to_have_count(0)
    # In development, Django's 404 page has an inline style.
    watch.problems[:] = [problem for problem in watch.problems if "inline style" not in problem]


@DETAIL
def test_editing_in_place_keeps_the_focus_on_the_comment(visit: Visit) -> None:
    reader = visit(READER)
    follow(reader, publish(visit(AUTHOR), title()))
    comments(reader)
    comment(reader, "First words.")
    frame = reader.locator("turbo-frame[id^=comment_]")
    edit, area = reader.get_by_role("link", name="Edit your comment"), frame.get_by_role("textbox")

    edit.click()
    expect(area).to_be_focused()
    reader.get_by_role("link", name="Cancel").click()
    expect(frame).to_be_focused()

    edit.click()
    area.fill("Second thoughts.")
    reader.get_by_role("button", name="Save comment").click()
    expect(reader.get_by_text("Second thoughts.")).to_be_visible()
    expect(frame).to_be_focused()
    expect(reader.get_by_role("log", name="Comments")).to_contain_text("Second thoughts.")


@DETAIL
def test_new_page_is_announced(page: Page) -> None:
    page.goto("/")
    announcer = page.locator("#announcer")
    expect(announcer).to_have_text("")

    page.get_by_role("navigation").get_by_role("link", name="Articles").first.click()
    expect(announcer).to_have_text(f"Articles · {settings.SITE_NAME}")


@DETAIL
def test_progress_bar_is_styled_and_disappears(page: Page) -> None:
    page.goto("/")
    held = hold(page, "**/articles/")
    page.get_by_role("navigation").get_by_role("link", name="Articles").first.click()
    bar = page.locator(".turbo-progress-bar")
    expect(bar).to_be_attached()
    # The `watch` fixture reports violations of the CSP.
    assert bar.evaluate("bar => getComputedStyle(bar).position") == "fixed"

    held[0].continue_()
    page.wait_for_url("**/articles/")
    expect(bar).to_have_count(0)


@DETAIL
def test_progress_bar_of_a_canceled_visit_never_appears(page: Page) -> None:
    page.goto("/")
    held = hold(page, "**/articles/dashboard/")
    page.evaluate("""() => {
        Turbo.config.drive.progressBarDelay = 1000
        Turbo.visit('/articles/dashboard/')
        setTimeout(() => Turbo.visit('/articles/'), 50)
    }""")
    expect(page.get_by_role("heading", name="Articles", exact=True)).to_be_visible()
    assert held

    page.wait_for_timeout(2000)  # a bar of the second visit has disappeared by now, too
    expect(page.locator(".turbo-progress-bar")).to_have_count(0, timeout=1)


@DETAIL
def test_back_shows_the_page_without_its_toast(visit: Visit) -> None:
    author = visit(AUTHOR)
    path = publish(author, title())
    toasts = author.locator("#toasts .toast-message")
    expect(toasts).to_have_count(1)

    author.get_by_role("navigation").get_by_role("link", name="Articles", exact=True).first.click()
    author.wait_for_url("**/articles/")
    author.evaluate("history.back()")
    author.wait_for_url(f"**{path}")
    expect(author.get_by_role("button", name="Revert to draft")).to_be_visible()
    expect(toasts).to_have_count(0, timeout=1)


@DETAIL
def test_preview_subscribes_to_no_stream(page: Page) -> None:
    follow(page, "/articles/")
    page.get_by_role("link", name=settings.SITE_NAME).first.click()
    page.wait_for_url(re.compile(r":\d+/$"))
    held = hold(page, "**/articles/")

    page.get_by_role("navigation").get_by_role("link", name="Articles").first.click()
    expect(page.locator("html[data-turbo-preview]")).to_have_count(1)
    assert page.locator("turbo-cable-stream-source[connected]").count() == 0

    held[0].continue_()
    expect(page.locator("html[data-turbo-preview]")).to_have_count(0)
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)


@DETAIL
def test_page_from_the_browser_cache_subscribes_and_refreshes(
    playwright: Playwright, site: str
) -> None:
    launch = launcher(playwright, CHROMIUM)
    browser = launch(ignore_default_args=["--disable-back-forward-cache"])
    page = browser.new_page(base_url=site)
    follow(page, "/articles/")
    page.evaluate("addEventListener('pageshow', event => { window.kept = event.persisted })")
    page.goto("/accounts/login/")

    with page.expect_request(lambda request: request.resource_type == "fetch"):
        page.evaluate("setTimeout(() => history.back())")
    page.wait_for_function("window.kept")
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)
    browser.close()


@DETAIL
def test_view_transitions_respect_reduced_motion(page: Page) -> None:
    expected: dict[Literal["no-preference", "reduce"], int] = {"no-preference": 1, "reduce": 0}
    for motion, transitions in expected.items():
        page.emulate_media(reduced_motion=motion)
        page.goto("/")
        page.evaluate("""() => {
            window.transitions = 0
            const start = document.startViewTransition.bind(document)
            document.startViewTransition = (update) => {
                window.transitions++
                return start(update)
            }
        }""")

        page.get_by_role("navigation").get_by_role("link", name="Articles").first.click()

        expect(page.get_by_role("heading", name="Articles", exact=True)).to_be_visible()
        assert page.evaluate("window.transitions") == transitions


def test_visit_after_signing_out_reloads_the_page(visit: Visit) -> None:
    reader = visit(READER)
    reader.goto("/")
    mark(reader)
    reader.get_by_role("navigation").get_by_role("link", name="Articles", exact=True).first.click()
    reader.wait_for_url("**/articles/")
    assert is_marked(reader)

    reader.context.clear_cookies()
    reader.get_by_role("link", name=settings.SITE_NAME).first.click()

    expect(reader.get_by_role("link", name="Sign in").first).to_be_visible()
    wait_until(reader, lambda: not is_marked(reader))


def test_prefetched_page_does_not_consume_the_toast(visit: Visit) -> None:
    author = visit(AUTHOR)
    path = publish(author, title())
    author.goto("/")
    token = next(cookie["value"] for cookie in author.context.cookies() if "csrf" in cookie["name"])
    # A request outside the page leaves a message for the next page that is shown.
    done = author.request.post(
        f"{path}unpublication/",
        headers={"X-CSRF-Token": token, "Referer": author.url},
        max_redirects=0,
    )
    assert done.status in {302, 303}

    navigation = author.get_by_role("navigation")
    with author.expect_response("**/articles/") as prefetched:
        navigation.get_by_role("link", name="Articles", exact=True).first.hover()
    assert "x-sec-purpose" in prefetched.value.request.headers
    navigation.get_by_role("link", name="My articles").first.click()

    author.wait_for_url("**/articles/mine/")
    expect(author.locator("#toasts .toast-message")).to_have_count(1)


@DETAIL
def test_costly_pages_are_not_prefetched(page: Page) -> None:
    page.goto("/articles/")
    statistics = page.get_by_role("link", name="Statistics")
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))

    statistics.hover()
    page.wait_for_timeout(500)  # Turbo waits for 100 ms

    assert not [url for url in urls if "dashboard" in url]


def test_link_with_another_method_sends_the_csrf_token(visit: Visit, watch: Watch) -> None:
    watch.expected.add(405)
    author = visit(AUTHOR)
    path = publish(author, title())

    with author.expect_response(f"**{path}unpublication/") as answer:
        # In one step, because a refresh would remove the link.
        author.evaluate(
            """href => {
                const main = document.querySelector('main')
                main.insertAdjacentHTML('afterbegin', '<a data-turbo-method="delete">Delete it</a>')
                main.firstElementChild.href = href
                main.firstElementChild.click()
            }""",
            f"{path}unpublication/",
        )

    assert answer.value.request.method == "DELETE"
    assert answer.value.status == 405  # not 403: the request reached the view
