"""The pages about the API, under the policy that forbids inline scripts and other hosts."""

import json
import re
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e.conftest import DETAIL, Visit, Watch
from tests.e2e.people import DEMO_PASSWORD, is_marked, mark, submit
from tests.e2e.test_pages import look_at

DOCS = "/api/v1/docs/"
REFERENCE = "/api/v1/docs/reference/"
# Of text, in each theme.
COLORS: dict[Literal["light", "dark"], str] = {
    "light": "rgb(28, 39, 34)",
    "dark": "rgb(232, 230, 224)",
}


@DETAIL
def test_pages_load_without_problems(page: Page) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

    look_at(page, DOCS)
    expect(page.get_by_text("List articles").first).to_be_visible()
    operation(page, "articleCreate")
    expect(page.get_by_label("Request body")).to_be_visible()
    assert_width(page)

    # ReDoc has its own colors, which have to follow the page's.
    page.goto(REFERENCE)
    heading = page.get_by_role("heading", name="List articles")
    expect(heading).to_be_visible()
    page.evaluate("scrollTo(0, 3000)")
    for scheme, color in COLORS.items():
        page.emulate_media(color_scheme=scheme)
        expect(heading).to_have_css("color", color)
        page.wait_for_function("scrollY > 1000")
        assert_width(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert_width(page)

    assert hosts - {""} == {urlsplit(page.url).netloc}


@DETAIL
def test_footer_leads_to_them_and_nothing_of_them_stays(page: Page) -> None:
    """Kind: Swagger UI's styles and ReDoc's changes of the document on all pages after them."""
    page.goto("/articles/")
    page.get_by_role("navigation", name="Footer").get_by_role("link", name="API").click()
    expect(page.get_by_text("List articles").first).to_be_visible()
    mark(page)
    page.get_by_role("link", name="Reference").click()
    expect(page.get_by_role("heading", name="List articles")).to_be_visible()
    assert not is_marked(page)
    mark(page)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Articles").click()
    page.wait_for_url("**/articles/")
    expect(page.locator("h1")).to_have_text("Articles")
    assert not is_marked(page)


def assert_width(page: Page) -> None:
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1], f"{widths[0]} px wide on a {widths[1]} px screen"


def operation(page: Page, name: str) -> None:
    """Open an operation and its form."""
    page.goto("about:blank")  # from the page itself, the fragment alone would load nothing
    page.goto(f"{DOCS}#/articles/{name}")
    block = page.locator(f"#operations-articles-{name}")
    block.get_by_role("button", name="Try it out").click()


@pytest.mark.long("sends what another test sends with a token")
def test_visitor_tries_what_is_public(page: Page) -> None:
    operation(page, "articleList")
    with page.expect_response(lambda answer: "/articles/?" in answer.url) as caught:
        page.get_by_role("button", name="Execute").click()
    assert caught.value.status == 200
    assert caught.value.json()["results"]


def test_member_changes_with_session(visit: Visit) -> None:
    page = visit("editor@example.com")
    operation(page, "articleCreate")

    def is_post(answer: Response) -> bool:
        return answer.request.method == "POST" and answer.url.endswith("/api/v1/articles/")

    with page.expect_response(is_post) as caught:
        page.get_by_role("button", name="Execute").click()

    answer = caught.value
    assert answer.status == 201, answer.text()
    assert answer.request.headers["x-csrf-token"]
    sent = json.loads(answer.request.post_data or "")
    assert answer.json()["title"] == sent["title"] == "On joints"
    expect(page.locator(".live-responses-table")).to_contain_text("201")


@DETAIL
def test_program_authorizes_with_a_token(visit: Visit) -> None:
    member = visit("editor@example.com")
    submit(member, "/accounts/reauthenticate/", password=DEMO_PASSWORD)
    new = "/people/me/tokens/new/"
    answer = submit(member, new, name="Docs", scopes="articles:read", expires_at="1").text()
    token = re.search(r'id="token">(\w+)<', answer)
    assert token

    page = visit()
    operation(page, "articleTrash")
    box = page.locator("#operations-articles-articleTrash").bounding_box()
    assert box
    assert box["y"] >= 64, "It is behind the site's header."
    page.get_by_role("button", name="Authorize").first.click()
    # A script may not send the cookie of a session, so there is nothing to enter.
    expect(page.locator(".auth-container")).to_have_count(2)
    form = page.locator(".auth-container").filter(has_text="accessToken")
    form.get_by_role("textbox").fill(token[1])
    form.get_by_role("button", name="Authorize").click()
    form.get_by_role("button", name="Close").click()
    with page.expect_response(lambda answer: "/articles/trash/" in answer.url) as caught:
        page.get_by_role("button", name="Execute").click()

    assert caught.value.status == 200
    assert caught.value.request.headers["authorization"] == f"Bearer {token[1]}"


@DETAIL
def test_visitor_is_asked_to_sign_in(page: Page, watch: Watch) -> None:
    watch.expected.add(401)
    operation(page, "articleCreate")
    with page.expect_response(lambda answer: answer.request.method == "POST") as caught:
        page.get_by_role("button", name="Execute").click()
    assert caught.value.status == 401
    assert caught.value.headers["content-type"] == "application/problem+json"
    expect(page.locator(".live-responses-table")).to_contain_text("not_authenticated")
