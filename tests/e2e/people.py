"""Steps that many tests share: sign up, sign in, open a mail, publish, sign out."""

import html
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from playwright.sync_api import APIResponse, Error, Locator, Page, Route, expect

T = TypeVar("T")

PASSWORD = "a-joint-of-wood-29"
AUTHOR = "ines.okafor@example.com"
READER = "reader@example.com"
DEMO_PASSWORD = f"{settings.PROJECT_NAME}-demo"
HOME = re.compile(r"^http://localhost:\d+/$")
TIMEOUT = 15.0  # seconds; an element that is replaced for longer is a fault of the page
REPLACED = re.compile("not attached|detached|context was destroyed", re.IGNORECASE)


def submit(
    page: Page, path: str, *, form: str = "", follow: bool = True, **fields: str
) -> APIResponse:
    """Submit a form without showing its page, as the browser of this page.

    Args:
        page: any page of the browser.
        path: where the fields are sent.
        form: the page that contains the form, if its address differs.
        follow: whether to follow a redirect, which consumes the message for the next page.
        fields: what is entered; hidden fields are taken from the page.
    """
    shown = page.request.get(form or path)
    assert shown.ok, shown.status_text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown.text()))
    return page.request.post(
        path,
        form={**hidden, **fields},
        headers={"Referer": shown.url},
        fail_on_status_code=True,
        max_redirects=None if follow else 0,
    )


def is_signed_in(page: Page) -> bool:
    """Return whether the browser of this page is signed in, without leaving the page."""
    return page.request.get("/people/me/edit/", max_redirects=0).status == HTTPStatus.OK


def sign_up(page: Page, email: str = "") -> str:
    """Sign up as a new user, show the home page, and return the address.

    The forms are submitted without being shown; `sign_up_by_hand` shows them.
    """
    email = email or f"{uuid.uuid4().hex[:12]}@example.org"
    submit(page, "/accounts/signup/", email=email, password1=PASSWORD, password2=PASSWORD)
    submit(page, "/accounts/signup/confirm/", code=mailed_code(page, email))
    assert is_signed_in(page)
    page.goto("/")
    return email


def sign_up_by_hand(page: Page) -> str:
    """Sign up as a new user, with the code in the confirmation mail, and return the address."""
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label(re.compile(r"Password \(again\)")).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/accounts/signup/confirm/")
    page.get_by_label("Code").fill(mailed_code(page, email))
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(HOME)
    return email


def mailed_code(page: Page, email: str) -> str:
    """Wait for a mail with a code to an address, and return the latest one's code."""
    return wait_until(page, lambda: newest_code(page, email))


def newest_code(page: Page, email: str) -> str:
    """Return the code in the latest mail that has one, "" if none has: others may be later."""
    for path in mails_to(page, email):
        if code := re.search(r"\b[B-Z]{4}-[B-Z]{4}\b", page.request.get(path).text()):
            return code[0]
    return ""


def mail_to(page: Page, text: str) -> str:
    """Wait for a mail whose row in the mailbox contains this text; return the latest one's path.

    The task that sends it may not have run yet.
    """
    return wait_until(page, lambda: mails_to(page, text))[0]


def mails_to(page: Page, text: str) -> list[str]:
    """Return the paths of the mails whose row in the mailbox contains this text, latest first."""
    rows = re.findall(
        r'<a [^>]*href="(/dev/mailbox/[^"]+)"(.*?)</a>',
        page.request.get("/dev/mailbox/").text(),
        re.DOTALL,
    )
    return [path for path, row in rows if text in html.unescape(row)]


def open_mail(page: Page, text: str) -> None:
    """Open the latest mail whose row in the mailbox contains this text."""
    page.goto(mail_to(page, text))


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name=re.compile("Sign out|Log out")).click()
    page.wait_for_load_state()


def reauthenticate(page: Page, password: str = PASSWORD) -> None:
    """Reauthenticate with the password, on the page that asks for it."""
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name=re.compile("Confirm|Continue")).click()
    page.wait_for_load_state()


def attach_authenticator(page: Page) -> None:
    """Attach a virtual authenticator until the page closes; its user confirms each prompt."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def publish(page: Page, title: str) -> str:
    """Write and publish an article without showing the forms, show it, and return its path."""
    body = "Cut the tails first. " * 400
    saved = submit(page, "/articles/new/", title=title, category="design", body=body)
    path = urlsplit(saved.url).path
    assert path != "/articles/new/", saved.text()
    submit(page, f"{path}publication/", form=path, follow=False)
    page.goto(path)
    expect(page.get_by_role("button", name="Revert to draft")).to_be_visible()
    return path


def follow(page: Page, path: str) -> None:
    """Open a page and wait until it is subscribed to all its streams."""
    page.goto(path)
    expect(page.locator("turbo-cable-stream-source").first).to_be_attached()
    expect(page.locator("turbo-cable-stream-source:not([connected])")).to_have_count(0)


def mark(page: Page) -> None:
    """Mark the window. Turbo visits keep the mark, a full page load removes it."""
    page.evaluate("window.marked = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def title() -> str:
    return f"Joints {uuid.uuid4().hex[:8]}"


def steady(locator: Locator, act: Callable[[Locator], object]) -> None:
    """Do something to an element, and again with the next while it is replaced meanwhile.

    Playwright looks an element up once for steps such as scrolling and evaluating. A refresh or a
    frame that loads may replace it in the meantime, so such a step fails through no fault of the
    page. Clicks and `expect` look it up again by themselves, and need no help.

    Args:
        locator: finds the element; it is looked up again for each attempt.
        act: takes the locator of one element. It may run more than once.
    """
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            act(locator.first)
        except Error as error:
            if not REPLACED.search(error.message) or time.monotonic() > deadline:
                raise
        else:
            return


def comments(page: Page) -> None:
    """Scroll to the comments, which loads them."""
    heading = page.get_by_role("heading", name="Comments")
    scroll_to(heading.or_(page.get_by_role("link", name="Read the comments")))
    expect(heading).to_be_visible()


def scroll_to(locator: Locator) -> None:
    """Scroll to an element, even if a refresh replaces it."""
    steady(locator, lambda element: element.scroll_into_view_if_needed())


def hold(page: Page, url: str) -> list[Route]:
    """Hold the next request to this URL, and return a list that its route is added to."""
    held: list[Route] = []
    page.route(url, lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright sets attributes on the function
    return held


def wait_until(page: Page, condition: Callable[[], T]) -> T:
    """Wait for a condition while the page keeps running, and return what it returned."""
    for _ in range(150):
        if result := condition():
            return result
        page.wait_for_timeout(100)
    raise AssertionError("Timed out waiting for the condition")
