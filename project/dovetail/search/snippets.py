import html
import re
from typing import Any, NamedTuple, Self

from django.db import models
from django.utils.safestring import SafeString

from dovetail.search import analyzer

# Without the start of another hit in it: otherwise many starts without an end take quadratic time.
_hit = re.compile(
    f"{analyzer.HIT_START}([^{analyzer.HIT_START}{analyzer.HIT_END}]*){analyzer.HIT_END}"
)
_stray = re.compile(f"[{analyzer.HIT_START}{analyzer.HIT_END}{analyzer.UNESCAPED}]")


class Part(NamedTuple):
    """A stretch of a snippet, as plain text."""

    text: str
    is_hit: bool


class Excerpt(SafeString):
    """A snippet as escaped HTML with the hits in `<mark>`, for pages; and in parts, for others."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *parts: Part) -> Self:
        excerpt = cls("".join(map(_marked, parts)))
        excerpt.parts = parts
        return excerpt


def render(text: str) -> Excerpt:
    """Return a snippet with its hits, and with an ellipsis where it was cut.

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
    stretches = [_stray.sub("", part) for part in _hit.split(text)]
    parts = (Part(part, bool(number % 2)) for number, part in enumerate(stretches))
    return Excerpt.of(*(part for part in parts if part.text or part.is_hit))


def _marked(part: Part) -> str:
    escaped = html.escape(part.text)
    return f"<mark>{escaped}</mark>" if part.is_hit else escaped


class SnippetField(models.TextField[str, str]):
    """The output field of a snippet; converts it to an `Excerpt`."""

    def from_db_value(self, value: str | None, *_: Any) -> Excerpt | None:
        return None if value is None else render(value)
