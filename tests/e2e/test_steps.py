"""The steps of the browser tests, on a page whose elements are replaced as a refresh does."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.e2e.conftest import DETAIL
from tests.e2e.people import scroll_to, steady

REPLACE = """times => {
    const main = document.querySelector('main')
    const replace = () => {
        main.innerHTML = `<h2>${times}</h2>`
        if (times-- > 0) requestAnimationFrame(replace)
    }
    replace()
}"""


@pytest.fixture
def restless(browser: Browser) -> Iterator[Page]:
    """Return a page that replaces its heading, far below, in each of some frames."""
    page = browser.new_page()
    page.set_content('<div style="height: 3000px"></div><main></main>')
    page.evaluate(REPLACE, 60)  # for about a second
    yield page
    page.close()


@DETAIL
def test_step_outlives_the_replacement_of_its_element(restless: Page) -> None:
    """The kind: a step that holds an element across a refresh fails at random."""
    scroll_to(restless.get_by_role("heading"))

    assert restless.evaluate("scrollY") > 0


@DETAIL
def test_step_that_always_fails_raises(restless: Page) -> None:
    def misspelled(_: object) -> None:
        restless.evaluate("no such function")

    with pytest.raises(Error, match="SyntaxError"):
        steady(restless.get_by_role("heading"), misspelled)
