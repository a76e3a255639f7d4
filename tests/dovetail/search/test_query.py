from typing import Any

import pytest

from dovetail.search import SearchConfig
from dovetail.search.analyzer import MAX_TERMS
from dovetail.search.query import Query, parse

CONFIG = SearchConfig({"title": 1}, autocomplete=["title"])


def parsed(text: str, **options: Any) -> tuple[list[list[str]], list[str]]:
    query = parse(text, CONFIG, **options)
    if query is None:
        return [], []
    groups = [[term.text for term in group] for group in query.groups]
    return groups, [term.text for term in query.excluded]


@pytest.mark.parametrize(
    ("text", "groups", "excluded"),
    [
        ("red shoes", [["red"], ["shoes"]], []),
        ('"red shoes" hat', [["red shoes"], ["hat"]], []),
        ('red"green hat', [["red"], ["green hat"]], []),
        ("red OR blue shoes", [["red", "blue"], ["shoes"]], []),
        ("red OR blue OR green", [["red", "blue", "green"]], []),
        ("OR red OR", [["red"]], []),
        ("red or blue", [["red"], ["blue"]], []),
        ("shoes -red", [["shoes"]], ["red"]),
        ('shoes -"red blue"', [["shoes"]], ["red blue"]),
        ("shoes - red", [["shoes"], ["red"]], []),
        ("red OR -blue shoes", [["red"], ["shoes"]], ["blue"]),
        ("what is a joint", [["joint"]], []),
        ("what is", [["what"], ["is"]], []),
        ("a OR b joint", [["a", "b"], ["joint"]], []),
        ("title:red (blue)", [["title:red"], ["(blue)"]], []),
        ("...  !!", [], []),
        ("-red", [], []),
    ],
)
def test_query_syntax_is_parsed(text: str, groups: list[list[str]], excluded: list[str]) -> None:
    assert parsed(text) == (groups, excluded)


def test_match_any_and_match_phrase() -> None:
    assert parsed("red the shoes -hat", match="any") == ([["red", "the", "shoes"]], ["hat"])
    assert parsed('red "OR" -shoes', match="phrase") == ([['red "or" -shoes']], [])
    assert parsed("...", match="phrase") == ([], [])


def one_term(text: str, **options: Any) -> Any:
    query = parse(text, CONFIG, **options)
    assert isinstance(query, Query)
    (*_, (*_, term)) = query.groups
    return term


@pytest.mark.parametrize(
    ("text", "fuzzy"),
    [("shoes", True), ("dog", False), ("v1234", False), ("жуки", False), ("x-rayed", False)],
)
def test_only_long_ascii_words_are_fuzzy(text: str, fuzzy: bool) -> None:
    assert one_term(text, fuzzy=True).fuzzy is fuzzy


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("red sho", True), ("red sho ", False), ('red "sho"', False), ("sho", True)],
)
def test_last_word_is_a_prefix_unless_it_was_completed(text: str, prefix: bool) -> None:
    assert one_term(text, prefix=True).prefix is prefix


def test_number_of_terms_is_limited() -> None:
    groups, _ = parsed(" ".join(f"w{number}" for number in range(100)))

    assert len(groups) == MAX_TERMS
