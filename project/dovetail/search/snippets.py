import html
import re
from typing import Any

from django.db import models
from django.utils.safestring import SafeString, mark_safe

from dovetail.search import analyzer

# Without the start of another hit in it: otherwise many starts without an end take quadratic time.
_hit = re.compile(
    f"{analyzer.HIT_START}([^{analyzer.HIT_START}{analyzer.HIT_END}]*){analyzer.HIT_END}"
)
_stray = re.compile(f"[{analyzer.HIT_START}{analyzer.HIT_END}{analyzer.UNESCAPED}]")


def render(text: str) -> SafeString:
    """Return a snippet as escaped HTML, with hits in `<mark>` and an ellipsis where it was cut.

    Args:
        text: the result of `Engine.snippet`. ParadeDB has escaped it already; text that starts
            with `analyzer.UNESCAPED` is as stored.
    """
    text = text[1:] if text.startswith(analyzer.UNESCAPED) else html.unescape(text)
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
    """The output field of a snippet; converts it to safe HTML."""

    def from_db_value(self, value: str | None, *_: Any) -> SafeString | None:
        return None if value is None else render(value)
