"""Browser tests look an element up for each step, because a refresh may replace it."""

import ast
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
        str(path): calls
        for path in repository.files()
        if path.suffix == ".py" and path.is_relative_to("tests") and path != STEPS
        if "playwright" in (code := (repository.ROOT / path).read_text(encoding="utf-8"))
        if (calls := held_elements(code))
    }

    assert not found, "Use tests.e2e.people.scroll_to or steady, which retry the lookup"
