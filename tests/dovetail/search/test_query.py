from typing import Any

import pytest

from dovetail.search import SearchConfig
from dovetail.search.query import Query, parse
from dovetail.search.words import MAX_TERMS

CONFIG = SearchConfig({"title": 1}, autocomplete=["title"])


def read(text: str, **options: Any) -> tuple[list[list[str]], list[str]]:
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
def test_what_people_type(text: str, groups: list[list[str]], excluded: list[str]) -> None:
    assert read(text) == (groups, excluded)


def test_any_word_and_the_whole_text() -> None:
    assert read("red the shoes -hat", match="any") == ([["red", "the", "shoes"]], ["hat"])
    assert read('red "OR" -shoes', match="phrase") == ([['red "or" -shoes']], [])
    assert read("...", match="phrase") == ([], [])


def one_term(text: str, **options: Any) -> Any:
    query = parse(text, CONFIG, **options)
    assert isinstance(query, Query)
    (*_, (*_, term)) = query.groups
    return term


@pytest.mark.parametrize(
    ("text", "fuzzy"),
    [("shoes", True), ("dog", False), ("v1234", False), ("жуки", False), ("x-rayed", False)],
)
def test_errors_are_forgiven_in_plain_words_only(text: str, fuzzy: bool) -> None:
    assert one_term(text, fuzzy=True).fuzzy is fuzzy


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("red sho", True), ("red sho ", False), ('red "sho"', False), ("sho", True)],
)
def test_the_last_word_may_be_unfinished(text: str, prefix: bool) -> None:
    assert one_term(text, prefix=True).prefix is prefix


def test_there_is_a_limit() -> None:
    groups, _ = read(" ".join(f"w{number}" for number in range(100)))

    assert len(groups) == MAX_TERMS
