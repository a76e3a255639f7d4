"""Live updates between browsers, and what must not reach them."""

import re
from typing import Literal

import pytest
from django.conf import settings
from playwright.sync_api import Page, WebSocket, WebSocketRoute, expect

from tests.e2e.conftest import DETAIL, Visit, Watch
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


def test_list_shows_published_edited_and_deleted_articles_live(visit: Visit) -> None:
    reader, author = visit(), visit(AUTHOR)
    follow(reader, "/articles/")
    mark(reader)
    search = reader.get_by_role("main").get_by_role("searchbox")
    search.evaluate("input => { input.value = 'half a wor'; input.focus() }")
    reader.evaluate("scrollTo(0, 300)")
    name = title()

    path = publish(author, name)
    expect(reader.get_by_role("link", name=name)).to_be_visible()

    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill(f"{name} revised")
    author.get_by_role("button", name="Save").click()
    expect(reader.get_by_role("link", name=f"{name} revised")).to_be_visible()

    author.get_by_role("link", name="Delete").click()
    author.wait_for_url("**/deletion/")
    author.get_by_role("main").get_by_role("button", name="Delete").click()
    expect(reader.get_by_role("link", name=name)).to_have_count(0)

    assert is_marked(reader)
    assert reader.evaluate("scrollY") == 300
    expect(search).to_have_value("half a wor")
    expect(search).to_be_focused()


@DETAIL
def test_edit_keeps_scroll_position_and_draft_of_readers(visit: Visit) -> None:
    author, reader = visit(AUTHOR), visit(READER)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    mark(reader)
    comments(reader)
    draft = reader.get_by_role("main").get_by_role("textbox")
    draft.fill("I was just about to say")
    scrolled = reader.evaluate("scrollY")

    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill(f"{name} revised")
    author.get_by_role("button", name="Save").click()

    expect(reader.get_by_role("heading", name=f"{name} revised")).to_be_attached()
    expect(draft).to_have_value("I was just about to say")
    expect(draft).to_be_focused()
    assert reader.evaluate("scrollY") == scrolled
    assert is_marked(reader)


def test_comments_appear_change_and_disappear_on_every_page(visit: Visit) -> None:
    author, reader, anonymous = visit(AUTHOR), visit(READER), visit()
    path = publish(author, title())
    for page in (author, reader, anonymous):
        follow(page, path)
        comments(page)
        mark(page)

    reader.get_by_role("main").get_by_role("textbox").fill("Tails first, always.")
    reader.get_by_role("button", name="Comment", exact=True).click()
    for page in (author, reader, anonymous):
        expect(page.get_by_text("Tails first, always.")).to_have_count(1)
    expect(reader.get_by_role("main").get_by_role("textbox")).to_have_value("")
    # The author is notified without a reload.
    expect(author.locator("#notification_count")).to_have_text(re.compile("[1-9]"))
    # Only its author may edit it.
    expect(author.get_by_role("link", name="Edit your comment")).not_to_be_visible()

    reader.get_by_role("link", name="Edit your comment").click()
    edited = reader.get_by_role("button", name="Save comment")
    expect(edited).to_be_visible()
    reader.locator("turbo-frame[id^=comment_]").get_by_role("textbox").fill("Pins first.")
    edited.click()
    for page in (author, reader, anonymous):
        expect(page.get_by_text("Pins first.")).to_have_count(1)
        expect(page.get_by_text("Tails first, always.")).to_have_count(0)

    reader.get_by_role("button", name="Delete your comment").click()
    dialog = reader.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(reader.get_by_text("Pins first.")).to_have_count(1)
    reader.get_by_role("button", name="Delete your comment").click()
    dialog.get_by_role("button", name="Continue").click()
    for page in (author, reader, anonymous):
        expect(page.get_by_text("Pins first.")).to_have_count(0)
    # The message came with the stream.
    expect(reader.get_by_text("Comment deleted.")).to_be_visible()
    assert all(is_marked(page) for page in (author, reader, anonymous))


@DETAIL
def test_refresh_keeps_an_open_edit_form(visit: Visit) -> None:
    author, reader = visit(AUTHOR), visit(READER)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    comments(reader)
    reader.get_by_role("main").get_by_role("textbox").fill("To be edited.")
    reader.get_by_role("button", name="Comment", exact=True).click()
    reader.get_by_role("link", name="Edit your comment").click()
    form = reader.locator("turbo-frame[id^=comment_]").get_by_role("textbox")
    form.fill("In the middle of a sen")

    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill(f"{name} revised")
    author.get_by_role("button", name="Save").click()

    expect(reader.get_by_role("heading", name=f"{name} revised")).to_be_attached()
    expect(form).to_have_value("In the middle of a sen")


@DETAIL
def test_change_during_a_refresh_is_not_lost(visit: Visit) -> None:
    reader, author = visit(), visit(AUTHOR)
    follow(reader, "/articles/")
    frames = frames_of(reader)
    first, second = title(), title()
    held = hold(reader, "**/articles/")

    publish(author, first)
    wait_until(reader, lambda: held)
    stale = held[0].fetch()  # contains only the first article
    frames.clear()
    publish(author, second)
    wait_until(reader, lambda: any("refresh" in frame for frame in frames))
    held[0].fulfill(response=stale)

    for name in (first, second):
        expect(reader.get_by_role("link", name=name)).to_be_visible()


@DETAIL
def test_refresh_during_the_first_load_of_a_frame_loads_it_again(visit: Visit) -> None:
    """Kind: a lazy frame is reloaded before it has loaded, after which Turbo waits to see it."""
    reader, author = visit(), visit(AUTHOR)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    held = hold(reader, "**/comments/")
    scroll_to(reader.get_by_role("link", name="Read the comments"))
    wait_until(reader, lambda: held)

    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill(f"{name} revised")
    author.get_by_role("button", name="Save").click()

    expect(reader.get_by_role("heading", name=f"{name} revised")).to_be_attached()
    expect(reader.get_by_role("heading", name="Comments")).to_be_attached()


@DETAIL
def test_refresh_does_not_disturb_a_form_submission(visit: Visit) -> None:
    author, other = visit(AUTHOR), visit(AUTHOR)
    name = title()
    path = publish(author, name)
    follow(author, path)
    frames = frames_of(author)
    held = hold(author, "**/unpublication/")

    author.get_by_role("button", name="Revert to draft").click()
    wait_until(author, lambda: held)
    other.goto(f"{path}edit/")
    other.get_by_label("Title").fill(f"{name} revised")
    other.get_by_role("button", name="Save").click()
    wait_until(author, lambda: any("refresh" in frame for frame in frames))
    author.wait_for_timeout(500)
    held[0].continue_()

    expect(author.get_by_role("button", name="Publish")).to_be_visible()
    expect(author.get_by_role("heading", name=f"{name} revised")).to_be_visible()


@DETAIL
def test_number_of_readers_is_updated_live(visit: Visit) -> None:
    author = visit(AUTHOR)
    path = publish(author, title())
    one, two = visit(), visit()

    follow(one, path)
    follow(two, path)
    follow(author, path)
    for page in (one, two, author):
        expect(page.get_by_text("3 people reading")).to_be_visible()

    two.goto("/")
    expect(one.get_by_text("2 people reading")).to_be_visible()


@DETAIL
def test_unpublished_article_disappears_from_readers_pages(visit: Visit, watch: Watch) -> None:
    watch.expected.add(404)
    author, reader = visit(AUTHOR), visit(READER)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    frames = frames_of(reader)

    author.goto(path)
    author.get_by_role("button", name="Revert to draft").click()
    expect(reader.get_by_role("heading", name=name)).to_have_count(0)
    assert any("reject_subscription" in frame for frame in frames)

    frames.clear()
    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill("A secret title")
    author.get_by_role("button", name="Save").click()
    expect(author.get_by_role("heading", name="A secret title")).to_be_visible()
    reader.wait_for_timeout(1500)
    assert not [frame for frame in frames if "turbo-stream" in frame]
    assert "A secret title" not in reader.content()
    # In development, Django's 404 page has an inline style.
    watch.problems[:] = [problem for problem in watch.problems if "inline style" not in problem]


def test_signed_out_browser_receives_nothing(visit: Visit) -> None:
    author = visit(AUTHOR)
    path = publish(author, title())
    follow(author, "/articles/mine/")
    first = author
    second = first.context.new_page()
    sockets: list[WebSocket] = []
    second.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - see frames_of
    follow(second, path)
    received: list[str] = []
    sockets[0].on("framereceived", lambda frame: received.append(str(frame)))

    first.goto("/accounts/logout/")
    first.get_by_role("main").get_by_role("button", name=re.compile("Log out|Sign out")).click()
    first.wait_for_url("**/")
    second.wait_for_function("() => !document.querySelector('[connected]')")
    assert sockets[0].is_closed()
    assert any('"reason":"remote"' in frame for frame in received)

    received.clear()
    reader = visit(READER)
    follow(reader, path)
    comments(reader)
    reader.get_by_role("main").get_by_role("textbox").fill("A note for the author.")
    reader.get_by_role("button", name="Comment", exact=True).click()
    expect(reader.get_by_text("A note for the author.")).to_be_visible()
    second.wait_for_timeout(1000)
    assert not received


def frames_of(page: Page) -> list[str]:
    """Return a list that every frame the page receives is appended to.

    The lambdas are needed because Playwright sets attributes on the functions it is given, which
    `list.append` does not allow.
    """
    frames: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))),
    )
    page.reload()
    expect(page.locator("turbo-cable-stream-source:not([connected])")).to_have_count(0)
    return frames


def test_pages_without_streams_open_no_socket(page: Page) -> None:
    sockets: list[WebSocket] = []
    scripts: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - see frames_of
    page.on("request", lambda request: scripts.append(request.url))

    page.goto("/")
    page.wait_for_timeout(500)
    assert not sockets
    assert not [url for url in scripts if "actioncable" in url]

    page.get_by_role("navigation").get_by_role("link", name="Articles").first.click()
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)
    assert len(sockets) == 1
    assert [url for url in scripts if "actioncable" in url]

    # After a Turbo visit back to the home page, the socket closes.
    page.get_by_role("link", name=settings.SITE_NAME).first.click()
    page.wait_for_url("**/")
    wait_until(page, sockets[0].is_closed)


@DETAIL
def test_going_back_resubscribes(page: Page) -> None:
    follow(page, "/articles/")
    page.get_by_role("main").get_by_role("heading", level=2).get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/articles/[^/?]+/$"))
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)

    page.evaluate("history.back()")
    page.wait_for_url("**/articles/")

    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)


def test_change_before_the_page_has_subscribed_is_shown(visit: Visit) -> None:
    reader, author = visit(), visit(AUTHOR)
    held = hold(reader, "**/assets/actioncable*")
    reader.goto("/articles/")
    mark(reader)
    wait_until(reader, lambda: held)
    name = title()
    publish(author, name)
    expect(reader.get_by_role("link", name=name)).to_have_count(0)

    held[0].continue_()

    expect(reader.get_by_role("link", name=name)).to_be_visible()
    assert is_marked(reader)


@DETAIL
def test_returning_to_the_tab_refreshes_the_page(page: Page) -> None:
    sockets: list[WebSocketRoute] = []

    def answer(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/cable$"), answer)
    follow(page, "/articles/")

    with page.expect_request("**/articles/"):
        sockets[0].close()
        page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)


@DETAIL
def test_disconnected_page_says_that_updates_are_paused(page: Page) -> None:
    is_down = True

    def answer(socket: WebSocketRoute) -> None:
        if is_down:
            socket.close()
        else:
            socket.connect_to_server()

    page.route_web_socket(re.compile("/cable$"), answer)
    page.goto("/articles/")
    notice = page.get_by_text("Live updates are paused.")
    expect(notice).to_be_visible(timeout=20_000)

    is_down = False
    expect(notice).to_be_hidden(timeout=60_000)
    expect(page.locator("turbo-cable-stream-source[connected]")).to_have_count(1)


@DETAIL
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_only_animated_pages_load_gsap(
    page: Page, motion: Literal["no-preference", "reduce"]
) -> None:
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url))
    page.emulate_media(reduced_motion=motion)

    page.goto("/articles/")
    page.wait_for_load_state("networkidle")
    assert not [url for url in scripts if "gsap" in url]

    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert bool([url for url in scripts if "gsap" in url]) == (motion == "no-preference")
