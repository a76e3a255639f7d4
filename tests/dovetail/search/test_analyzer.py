import pytest
from hypothesis import given, strategies as st

from dovetail.search import analyzer


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
def test_text_is_split_into_tokens(text: str, expected: list[str]) -> None:
    assert analyzer.tokenize(text) == expected


@given(st.text())
def test_tokens_contain_no_query_syntax(text: str) -> None:
    for token in analyzer.tokenize(analyzer.clean(text)):
        assert not set(token) & set("'\"\\&|!():*<>\0 ")
        assert any(map(str.isalnum, token))


@given(st.text(st.characters(codec=None)))
def test_clean_text_is_encodable_and_stays_clean(text: str) -> None:
    cleaned = analyzer.clean(text)

    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert "\0" not in cleaned
    assert analyzer.clean(cleaned) == cleaned


def test_query_length_is_limited() -> None:
    assert len(analyzer.clean("x" * 10_000)) == analyzer.MAX_LENGTH


def test_edits_are_all_strings_at_distance_one() -> None:
    found = analyzer.edits("shose")

    assert {"shoes", "hose", "shore", "chose", "shoses"} <= set(found)
    assert "shose" not in found
    assert len(found) == len(set(found)) < 54 * len("shose") + 25
