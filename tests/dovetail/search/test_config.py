from typing import Any

import pytest

from dovetail.search import SearchConfig


def test_largest_weight_gets_the_first_label() -> None:
    config = SearchConfig({"body": 1, "title": 5, "summary": 2, "note": 2})

    assert config.labels() == {"title": "A", "summary": "B", "note": "B", "body": "C"}


def test_structure_keeps_only_the_order_of_the_weights() -> None:
    first, second = SearchConfig({"title": 5, "body": 1}), SearchConfig({"title": 9, "body": 2})

    assert first != second
    assert first.structure() == second.structure()
    assert first.structure() != SearchConfig({"title": 1, "body": 5}).structure()
    assert first.structure() != SearchConfig({"title": 5, "body": 1}, language="german").structure()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": {}}, "needs at least one field"),
        ({"weights": {"title": 0}}, "weights above 0"),
        ({"weights": {"a": 1, "b": 2, "c": 3, "d": 4}}, "at most 3 different weights"),
        ({"weights": {"a": 1}, "autocomplete": ["b"]}, "a weight for autocomplete field b"),
        ({"weights": {"a": 1}, "language": "english'; --"}, "Invalid language"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchConfig(**arguments)
