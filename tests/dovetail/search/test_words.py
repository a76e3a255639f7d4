import pytest
from hypothesis import given, strategies as st

from dovetail.search import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dovetail joints", ["dovetail", "joints"]),
        ("node.js, X-ray & snake_case", ["node", "js", "x", "ray", "snake", "case"]),
        ("The carpenter's and don\u2019t", ["the", "carpenters", "and", "dont"]),
        ("Café Ångström Øre Straße", ["cafe", "angstrom", "ore", "strasse"]),
        ("Æsir łódź", ["aesir", "lodz"]),
        ("木の継手 カタカナ 한국어", ["木", "の", "継", "手", "カタカナ", "한국어"]),
        ("Жук й ά", ["жук", "й", "ά"]),
        ("“quoted” — dash… 3.14 🪵 ... !!!", ["quoted", "dash", "3", "14"]),
        ("", []),
    ],
)  # fmt: skip
def test_words(text: str, expected: list[str]) -> None:
    assert words.split(text) == expected


@given(st.text())
def test_a_word_has_nothing_that_means_something_to_a_query(text: str) -> None:
    for word in words.split(words.clean(text)):
        assert not set(word) & set("'\"\\&|!():*<>\0 ")
        assert any(map(str.isalnum, word))


@given(st.text(st.characters(codec=None)))
def test_clean_text_can_be_sent_and_stays_clean(text: str) -> None:
    cleaned = words.clean(text)

    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert "\0" not in cleaned
    assert words.clean(cleaned) == cleaned


def test_a_query_has_an_end() -> None:
    assert len(words.clean("x" * 10_000)) == words.MAX_LENGTH


def test_misspellings() -> None:
    found = words.misspellings("shose")

    assert {"shoes", "hose", "shore", "chose", "shoses"} <= set(found)
    assert "shose" not in found
    assert len(found) == len(set(found)) < 54 * len("shose") + 25
