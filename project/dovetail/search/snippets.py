import html
import re
from typing import Any

from django.db import models
from django.utils.safestring import SafeString, mark_safe

from dovetail.search import words

_hit = re.compile(f"{words.HIT_START}([^{words.HIT_END}]*){words.HIT_END}")
_stray = re.compile(f"[{words.HIT_START}{words.HIT_END}{words.UNESCAPED}]")


def render(text: str) -> SafeString:
    """Return a snippet as HTML: everything escaped, hits in `<mark>`, with dots where it is cut.

    Args:
        text: from `Engine.snippet`. ParadeDB has escaped it; what begins with `words.UNESCAPED`
            is as it was stored.
    """
    text = text[1:] if text.startswith(words.UNESCAPED) else html.unescape(text)
    text = " ".join(text.split())
    if text[:1].islower():
        text = f"\u2026{text}"
    if text[-1:].isalnum():
        text = f"{text}\u2026"
    # Odd parts are the hits.
    parts = enumerate(_hit.split(text))
    return mark_safe("".join(_part(part, hit=bool(number % 2)) for number, part in parts))  # noqa: S308


def _part(text: str, *, hit: bool) -> str:
    escaped = html.escape(_stray.sub("", text))
    return f"<mark>{escaped}</mark>" if hit else escaped


class SnippetField(models.TextField[str, str]):
    """The type of a snippet in a query: it arrives as safe HTML."""

    def from_db_value(self, value: str | None, *_: Any) -> SafeString | None:
        return None if value is None else render(value)
