import html

import pytest
from hypothesis import given, strategies as st

from apps.core.search.snippets import render
from apps.core.search.words import HIT_END, HIT_START, UNESCAPED

RAW = UNESCAPED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{RAW}a {HIT_START}b{HIT_END} & c", "a <mark>b</mark> &amp; c"),
        (f"a {HIT_START}b{HIT_END} &amp; &lt;i&gt;", "a <mark>b</mark> &amp; &lt;i&gt;"),
        (f"{RAW}&amp; {HIT_START}<b>{HIT_END}", "&amp;amp; <mark>&lt;b&gt;</mark>"),
        (f"{RAW}a {HIT_START}b", "a b"),
        (f"{RAW}a{HIT_END} {HIT_START}{HIT_START}b{HIT_END}", "a <mark>b</mark>"),
        (f"{RAW}one\n\n  two", "one two"),
        ("", ""),
    ],
)
def test_hits_are_marked_and_the_rest_is_escaped(text: str, expected: str) -> None:
    assert render(text) == expected


@given(st.text(), st.booleans())
def test_no_text_opens_another_tag(text: str, is_escaped: bool) -> None:
    snippet = render(html.escape(text) if is_escaped else UNESCAPED + text)

    bare = snippet.replace("<mark>", "").replace("</mark>", "")
    assert not set(bare) & set("<>\"'")
    assert snippet.count("<mark>") == snippet.count("</mark>")
