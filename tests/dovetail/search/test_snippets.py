import html

import pytest
from hypothesis import given, strategies as st

from dovetail.search.analyzer import HIT_END, HIT_START, UNESCAPED
from dovetail.search.snippets import render

RAW = UNESCAPED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{RAW}A {HIT_START}b{HIT_END} & c.", "A <mark>b</mark> &amp; c."),
        (f"A {HIT_START}b{HIT_END} &amp; &lt;i&gt;", "A <mark>b</mark> &amp; &lt;i&gt;"),
        (f"{RAW}&amp; {HIT_START}<b>{HIT_END}", "&amp;amp; <mark>&lt;b&gt;</mark>"),
        (f"{RAW}A {HIT_START}b.", "A b."),
        (f"{RAW}A{HIT_END} {HIT_START}{HIT_START}b{HIT_END}", "A <mark>b</mark>"),
        (f"{RAW}One\n\n  two.", "One two."),
        (f"{RAW}cut at both ends", "…cut at both ends…"),
        ("", ""),
    ],
)
def test_hits_are_marked_and_the_rest_is_escaped(text: str, expected: str) -> None:
    assert render(text) == expected


@given(st.text(), st.booleans())
def test_text_cannot_open_any_other_tag(text: str, is_escaped: bool) -> None:
    snippet = render(html.escape(text) if is_escaped else UNESCAPED + text)

    bare = snippet.replace("<mark>", "").replace("</mark>", "")
    assert not set(bare) & set("<>\"'")
    assert snippet.count("<mark>") == snippet.count("</mark>")


def test_parts_are_plain_text() -> None:
    """Kind: a program that shows the escapes of a page, or that has to undo them."""
    snippet = render(f"{RAW}A {HIT_START}b{HIT_END}{HIT_START}c{HIT_END} & <i>.")

    assert snippet.parts == (("A ", False), ("b", True), ("c", True), (" & <i>.", False))
    assert snippet == "A <mark>b</mark><mark>c</mark> &amp; &lt;i&gt;."


@given(st.text(), st.booleans())
def test_parts_are_what_the_html_shows(text: str, is_escaped: bool) -> None:
    snippet = render(html.escape(text) if is_escaped else UNESCAPED + text)

    bare = snippet.replace("<mark>", "").replace("</mark>", "")
    assert "".join(part.text for part in snippet.parts) == html.unescape(bare)
