"""Kind: what people lose. A form that could not be saved keeps what was typed, and says why."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import DETAIL, Visit, Watch
from tests.e2e.people import (
    AUTHOR,
    DEMO_PASSWORD,
    READER,
    comments,
    follow,
    publish,
    sign_out,
    submit,
    title,
)

TEXT = "Half an hour of work."
EDITOR = "editor@example.com"
MORE = pytest.mark.long("answers with another error")


def write(page: Page, name: str) -> None:
    """Fill in the form of a new article."""
    page.goto("/articles/new/")
    page.get_by_label("Title").fill(name)
    page.get_by_label("Summary").fill("Short.")
    page.get_by_label("Category").select_option("design")
    page.get_by_label("Body").fill(TEXT)


def save(page: Page) -> None:
    page.get_by_role("main").get_by_role("button", name="Save").click()


def expect_kept(page: Page, name: str) -> None:
    """Expect the form with all that was typed, and the focus on a message that is in sight."""
    alert = page.get_by_role("alert").filter(has_text="This couldn\u2019t be saved.")
    expect(alert).to_be_visible()
    expect(alert).to_be_in_viewport()
    expect(alert).to_be_focused()
    expect(page).to_have_url(re.compile("/articles/new/$"))
    expect(page.get_by_role("heading", name="Write an article")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value(name)
    expect(page.get_by_label("Summary")).to_have_value("Short.")
    expect(page.get_by_label("Category")).to_have_value("design")
    expect(page.get_by_label("Body")).to_have_value(TEXT)


def token_cookie(page: Page) -> str:
    return str(page.locator("meta[name=csrf-param]").get_attribute("content"))


def lose_the_csrf_cookie(page: Page) -> None:
    page.context.clear_cookies(name=token_cookie(page))


def sign_in_in_another_tab(page: Page) -> None:
    """Rotate the CSRF token, as every sign-in does."""
    submit(page, "/accounts/logout/")
    submit(page, "/accounts/login/", login=EDITOR, password=DEMO_PASSWORD)


def fail_next(page: Page, url: str, status: int) -> None:
    """Answer submissions as the server or a proxy would, or not at all with status 0."""

    def respond(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif not status:
            route.abort("internetdisconnected")
        else:
            html = f"<!doctype html><title>{status}</title><h1>Error {status}</h1>"
            route.fulfill(status=status, content_type="text/html", body=html)

    page.unroute_all()
    page.route(url, respond)


def forgive(watch: Watch, *texts: str) -> None:
    """Forget the problems that a test has provoked."""
    watch.problems[:] = [
        problem for problem in watch.problems if not any(text in problem for text in texts)
    ]


def test_failed_form_keeps_its_text_and_the_next_attempt_works(visit: Visit, watch: Watch) -> None:
    """Kind: an error page replaces a form that was not saved, or is morphed around it."""
    statuses = [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504]
    watch.expected |= set(statuses)
    page, name = visit(EDITOR), title()
    write(page, name)

    for status in (*statuses, 0):
        fail_next(page, "**/articles/new/", status)
        save(page)
        expect_kept(page, name)
        expect(page.get_by_role("heading", name="Error")).to_have_count(0)
        page.get_by_role("alert").get_by_role("button", name="Dismiss").click()

    page.unroute_all()
    save(page)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    forgive(watch, "ERR_INTERNET_DISCONNECTED")


@DETAIL
@pytest.mark.parametrize("lose", [lose_the_csrf_cookie, sign_in_in_another_tab])
def test_form_gets_a_fresh_token_after_csrf_failed(
    visit: Visit, watch: Watch, lose: Callable[[Page], None]
) -> None:
    """Kind: the token of an open page no longer matches its cookie, so each attempt fails."""
    watch.expected.add(403)
    page, name = visit(EDITOR), title()
    write(page, name)
    lose(page)

    save(page)
    expect_kept(page, name)

    save(page)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@DETAIL
def test_failed_button_says_so_and_returns_the_focus(visit: Visit, watch: Watch) -> None:
    """Kind: a form without fields. The page stays, and dismissing the message leads back."""
    watch.expected.add(500)
    page = visit(AUTHOR)
    publish(page, title())
    fail_next(page, "**/unpublication/", 500)
    revert = page.get_by_role("button", name="Revert to draft")

    revert.click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Something went wrong on our side.")
    alert.get_by_role("button", name="Dismiss").click()

    expect(alert).to_have_count(0)
    expect(revert).to_be_focused()


def end_session(page: Page) -> None:
    """End the session on the server's side only, as its expiry would."""
    sessions = [
        cookie["name"] for cookie in page.context.cookies() if "session" in str(cookie["name"])
    ]
    assert sessions
    for name in sessions:
        page.context.clear_cookies(name=name)


def sign_in_again(page: Page, email: str = EDITOR) -> None:
    page.wait_for_url("**/accounts/login/**")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


def notice(page: Page) -> Callable[[], None]:
    return lambda: expect(
        page.get_by_text("We\u2019ve restored what you wrote here.")
    ).to_be_visible()


def drafts(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "Object.entries(sessionStorage).filter(([key]) => key.startsWith('draft:')).flat()"
    )
    return found


def test_text_survives_the_end_of_the_session(visit: Visit) -> None:
    """Kind: a detour in the middle of saving. After the sign-in, the form is as it was."""
    page, name = visit(EDITOR), title()
    write(page, name)
    end_session(page)
    save(page)
    sign_in_again(page)

    notice(page)()
    expect(page.get_by_label("Title")).to_have_value(name)
    expect(page.get_by_label("Category")).to_have_value("design")
    expect(page.get_by_label("Body")).to_have_value(TEXT)
    # Neither tokens nor fields that nobody typed.
    assert "csrf" not in str(drafts(page))

    save(page)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert drafts(page) == []
    page.goto("/articles/new/")
    expect(page.get_by_label("Body")).to_have_value("")


@DETAIL
def test_text_stays_when_its_author_signs_out_in_another_tab(visit: Visit) -> None:
    """Kind: the page follows a change by itself, and what was typed is gone."""
    page, name = visit(EDITOR), title()
    follow(page, "/articles/new/")
    page.get_by_label("Title").fill(name)
    page.get_by_label("Body").fill(TEXT)

    submit(page, "/accounts/logout/")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You\u2019re no longer signed in.", timeout=60_000)
    expect(alert.get_by_role("link", name="Sign in")).to_have_attribute("target", "_blank")
    expect(page.get_by_label("Title")).to_have_value(name)
    expect(page.get_by_label("Body")).to_have_value(TEXT)
    expect(page.get_by_label("Body")).to_be_focused()


@pytest.mark.parametrize(
    "status", [429, *(pytest.param(status, marks=MORE) for status in (404, 500, 502))]
)
def test_text_stays_when_the_page_cannot_be_refreshed(
    visit: Visit, watch: Watch, status: int
) -> None:
    """Kind: an error page replaces a page that was only to be brought up to date."""
    watch.expected.add(status)
    page, name = visit(EDITOR), title()
    write(page, name)
    page.route(
        "**/articles/new/",
        lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>Error</h1>"),
    )

    page.evaluate("document.dispatchEvent(new CustomEvent('cable:reconnected', { bubbles: true }))")

    expect(page.get_by_role("alert")).to_contain_text("This page couldn\u2019t be refreshed.")
    expect(page.get_by_label("Body")).to_have_value(TEXT)
    expect(page.get_by_label("Body")).to_be_focused()
    page.unroute_all()
    save(page)
    expect(page.get_by_role("heading", name=name)).to_be_visible()


@DETAIL
def test_comment_that_is_deleted_while_it_is_edited_keeps_its_text(visit: Visit) -> None:
    """Kind: a broadcast removes or replaces what is being written."""
    path = publish(visit(AUTHOR), title())
    page = visit(READER)
    follow(page, path)
    comments(page)
    page.get_by_role("main").get_by_role("textbox").fill("Well cut.")
    page.get_by_role("button", name="Comment", exact=True).click()
    own = page.locator("turbo-frame[id^=comment_]").filter(has_text="Well cut.")
    deletion = str(own.locator("form").get_attribute("action"))
    own.get_by_role("link", name="Edit your comment").click()
    box = page.locator("turbo-frame[id^=comment_]").get_by_role("textbox")
    box.fill(TEXT)

    submit(page, deletion, form=path)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This was deleted while you were editing it.")
    expect(box).to_have_value(TEXT)


@DETAIL
def test_restored_text_can_be_discarded(visit: Visit) -> None:
    """Kind: text comes back uninvited. One button removes it, from the browser too."""
    page = visit(EDITOR)
    write(page, title())
    end_session(page)
    save(page)
    sign_in_again(page)
    notice(page)()

    page.get_by_role("button", name="Discard").click()

    expect(page.get_by_label("Title")).to_have_value("")
    expect(page.get_by_label("Body")).to_have_value("")
    expect(page.get_by_label("Title")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Body")).to_have_value("")
    assert drafts(page) == []


def test_text_is_restored_only_to_who_wrote_it(visit: Visit) -> None:
    """Kind: what one person typed is shown to the next at the same computer."""
    page = visit(EDITOR)
    write(page, title())
    end_session(page)
    save(page)
    sign_in_again(page, READER)

    page.wait_for_url("**/articles/new/")
    expect(page.get_by_role("heading", name="Write an article")).to_be_visible()
    page.wait_for_function("!Object.keys(sessionStorage).some((key) => key.startsWith('draft:'))")
    expect(page.get_by_label("Body")).to_have_value("")


def test_signing_out_forgets_what_was_typed(visit: Visit, watch: Watch) -> None:
    """Kind: text stays in the browser after its owner has left."""
    watch.expected.add(500)
    page = visit(EDITOR)
    write(page, title())
    fail_next(page, "**/articles/new/", 500)
    save(page)
    expect(page.get_by_role("alert")).to_be_visible()
    assert TEXT in str(drafts(page))

    page.unroute_all()
    sign_out(page)
    assert drafts(page) == []


@DETAIL
def test_text_that_cannot_be_stored_stays_on_its_page(visit: Visit) -> None:
    """Kind: storage is full or forbidden. The sign-in then has to wait, not the text."""
    page, name = visit(EDITOR), title()
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError') }"
    )
    write(page, name)
    end_session(page)

    save(page)

    expect_kept(page, name)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You\u2019re no longer signed in.")
    expect(alert.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", re.compile("/accounts/login/.*next=%2Farticles%2Fnew%2F")
    )


@DETAIL
def test_comment_survives_the_end_of_the_session(visit: Visit) -> None:
    """Kind: a form in a frame, which cannot show the page that asks for a sign-in."""
    path = publish(visit(AUTHOR), title())
    page = visit(READER)
    page.goto(path)
    comments(page)
    page.get_by_role("main").get_by_role("textbox").fill(TEXT)
    end_session(page)

    page.get_by_role("button", name="Comment", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You\u2019re no longer signed in.")
    expect(page.get_by_role("main").get_by_role("textbox")).to_have_value(TEXT)
    alert.get_by_role("link", name="Sign in").click()
    sign_in_again(page, READER)

    page.wait_for_url(f"**{path}")
    comments(page)
    notice(page)()
    expect(page.get_by_role("main").get_by_role("textbox")).to_have_value(TEXT)
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.get_by_role("log").get_by_text(TEXT)).to_be_visible()


def test_second_of_two_tabs_sees_both_texts(visit: Visit, watch: Watch) -> None:
    """Kind: a lost update, as people see it: in a page, and in a form in a frame."""
    watch.expected.add(409)
    page = visit(AUTHOR)
    path = publish(page, title())
    page.goto(f"{path}edit/")
    other = page.context.new_page()
    other.goto(f"{path}edit/")
    other.get_by_label("Body").fill("From the other tab.")
    save(other)
    expect(other.get_by_text("Changes saved.").first).to_be_visible()

    page.get_by_label("Body").fill("From this tab.")
    save(page)
    summary = page.get_by_role("alert").filter(has_text="changed while you were editing")
    expect(summary).to_be_focused()
    expect(page.get_by_text("From the other tab.")).to_be_visible()
    expect(page.get_by_label("Body")).to_have_value("From this tab.")

    save(page)
    expect(page.get_by_text("From this tab.")).to_be_visible()
    other.close()


@DETAIL
def test_refresh_does_not_hide_a_conflict(visit: Visit, watch: Watch) -> None:
    """Kind: a page refresh renews the version behind unsaved text, so that it overwrites."""
    watch.expected.add(409)
    page = visit(READER)
    author = visit(AUTHOR)
    path = publish(author, title())
    follow(page, path)
    comments(page)
    page.get_by_role("main").get_by_role("textbox").fill("First version.")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_role("link", name="Edit your comment").click()
    box = page.get_by_role("log").get_by_role("textbox")
    expect(box).to_have_value("First version.")

    other = page.context.new_page()
    other.goto(path)
    comments(other)
    other.get_by_role("link", name="Edit your comment").click()
    other.get_by_role("log").get_by_role("textbox").fill("From the other tab.")
    other.get_by_role("button", name="Save comment").click()
    expect(other.get_by_role("log").get_by_text("From the other tab.")).to_be_visible()

    box.fill("From this tab.")
    page.get_by_role("button", name="Save comment").click()
    expect(page.get_by_role("log").get_by_text("From the other tab.")).to_be_visible()
    expect(box).to_have_value("From this tab.")


@DETAIL
def test_message_of_a_failed_form_survives_a_refresh(visit: Visit, watch: Watch) -> None:
    """Kind: a refresh by someone else removes what this page has to say."""
    watch.expected.add(500)
    author, reader = visit(AUTHOR), visit(READER)
    name = title()
    path = publish(author, name)
    follow(reader, path)
    comments(reader)
    reader.get_by_role("main").get_by_role("textbox").fill(TEXT)
    fail_next(reader, "**/comments/", 500)
    reader.get_by_role("button", name="Comment", exact=True).click()
    expect(reader.get_by_role("alert")).to_be_visible()

    author.goto(f"{path}edit/")
    author.get_by_label("Title").fill(f"{name} revised")
    save(author)
    expect(reader.get_by_role("heading", name=f"{name} revised")).to_be_visible()

    expect(reader.get_by_role("alert")).to_be_visible()
    expect(reader.get_by_role("main").get_by_role("textbox")).to_have_value(TEXT)
