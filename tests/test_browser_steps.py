"""Browser tests look elements up for each step, and see a click's page before they open the next.

A refresh may replace an element that is held. A page that a click has asked for may arrive after
the next page was opened, and take its place.
"""

import ast
from itertools import pairwise
from pathlib import Path

import pytest

from tests import repository

STEPS = Path("tests/e2e/people.py")  # `steady` retries there
HOLDING = {
    "element_handle",
    "element_handles",
    "evaluate_handle",
    "query_selector",
    "query_selector_all",
    "scroll_into_view_if_needed",
    "wait_for_selector",
}
CLICKS = {".click", ".dblclick", ".press"}
OPENS = {".goto", ".reload", ".clear_cookies"}


def held_elements(code: str) -> list[str]:
    """Return the calls that hold an element, as `line 3: query_selector`."""
    return [
        f"line {node.lineno}: {node.attr}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and node.attr in HOLDING
    ]


@pytest.mark.parametrize("name", sorted(HOLDING))
def test_held_element_is_found(name: str) -> None:
    assert held_elements(f"\npage.locator('main').{name}()") == [f"line 2: {name}"]


def test_browser_tests_hold_no_elements_across_a_refresh() -> None:
    """The kind: an element held while a refresh replaces it. Use `scroll_to` or `steady`."""
    found = {
        str(path): held
        for path in repository.files()
        if path.suffix == ".py" and path.is_relative_to("tests") and path != STEPS
        if "playwright" in (code := (repository.ROOT / path).read_text(encoding="utf-8"))
        if (held := held_elements(code))
    }

    assert not found, "Use tests.e2e.people.scroll_to or steady, which retry the lookup"


def call_name(node: ast.AST) -> str:
    """Return `sign_in` for a function, `.click` for a method, nothing for what is no call."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return f".{name}"
        case ast.Call(func=ast.Name(id=name)):
            return name
    return ""


def last_call(statement: ast.stmt) -> str:
    return call_name(statement.value) if isinstance(statement, ast.Expr) else ""


def calls(statement: ast.stmt) -> set[str]:
    return {call_name(node) for node in ast.walk(statement)}


def overtaken_clicks(modules: dict[str, str]) -> list[str]:
    """Return the clicks whose page may arrive after the next one was opened.

    Args:
        modules: the code of the tests and their helpers, by name. A helper that ends with a click
            counts as a click, and one that begins by opening a page as opening it.
    """
    trees = {name: ast.parse(code) for name, code in modules.items()}
    helpers = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_")
    ]
    clicks, opens = set(CLICKS), set(OPENS)
    for _ in range(3):  # helpers of helpers
        clicks |= {helper.name for helper in helpers if last_call(helper.body[-1]) in clicks}
        opens |= {
            helper.name
            for helper in helpers
            if any(calls(statement) & opens for statement in without_docstring(helper)[:1])
        }
    return [
        f"{name}, line {first.lineno}: {last_call(first)} before {', '.join(sorted(opened))}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        for block in (getattr(node, "body", None), getattr(node, "orelse", None))
        if isinstance(block, list)
        for first, second in pairwise(block)
        if last_call(first) in clicks and (opened := calls(second) & opens)
    ]


def without_docstring(function: ast.FunctionDef) -> list[ast.stmt]:
    return function.body[1 if ast.get_docstring(function) else 0 :]


HELPERS = """
def open_mail(page):
    '''Open a mail.'''
    page.goto("/mailbox/")
    page.get_by_role("link").first.click()

def sign_in(page):
    page.goto("/login/")

def sign_in_again(page):
    sign_in(page)
"""


@pytest.mark.parametrize(
    "steps",
    [
        "link.click()\npage.goto('/')",
        "link.click()\nassert page.goto('/').ok",
        "link.press('Enter')\nsign_in(page)",
        "open_mail(page)\npage.context.clear_cookies()",
        "open_mail(page)\nsign_in_again(page)",
        "for link in links:\n    link.click()\n    page.reload()",
    ],
)
def test_overtaken_click_is_found(steps: str) -> None:
    assert len(overtaken_clicks({"people": HELPERS, "test": steps})) == 1


@pytest.mark.parametrize(
    "steps",
    [
        "link.click()\npage.wait_for_url('/mail/')\npage.goto('/')",
        "link.click()\nexpect(heading).to_be_visible()\nsign_in(page)",
        "page.goto('/')\nlink.click()",
    ],
)
def test_awaited_click_is_allowed(steps: str) -> None:
    assert not overtaken_clicks({"people": HELPERS, "test": steps})


def test_browser_tests_see_the_page_of_a_click_before_they_open_another() -> None:
    modules = {
        str(path): (repository.ROOT / path).read_text(encoding="utf-8")
        for path in repository.files()
        if path.suffix == ".py" and path.is_relative_to("tests/e2e")
    }

    assert not overtaken_clicks(modules)
