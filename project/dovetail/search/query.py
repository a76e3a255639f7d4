"""Parser for search queries, whose result both engines render to SQL.

Own code because the engines' parsers differ, raise errors on some input, or let visitors name
columns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from dovetail.search import analyzer
from dovetail.search.config import SearchConfig

Match = Literal["all", "any", "phrase"]

_token = re.compile(r'(?P<minus>-?)(?:"(?P<quoted>[^"]*)"?|(?P<word>[^\s"]+))')
FUZZY_LENGTHS = range(4, 31)  # in letters; shorter words have too many neighbors


@dataclass(frozen=True)
class Term:
    """A word or a phrase.

    Attributes:
        text: the cleaned input, which ParadeDB analyzes like the column.
        words: its tokens, folded; several of them form a phrase.
        fuzzy: whether words within edit distance 1 match too.
        prefix: whether words that start with it match too.
    """

    text: str
    words: tuple[str, ...]
    fuzzy: bool = False
    prefix: bool = False

    @property
    def is_phrase(self) -> bool:
        return len(self.words) > 1


@dataclass(frozen=True)
class Query:
    """Matches a row if each group has a matching term and no excluded term matches."""

    groups: tuple[tuple[Term, ...], ...]
    excluded: tuple[Term, ...] = ()

    @property
    def terms(self) -> Iterator[Term]:
        return (term for group in self.groups for term in group)


def parse(
    text: str,
    config: SearchConfig,
    *,
    match: Match = "all",
    fuzzy: bool = False,
    prefix: bool = False,
) -> Query | None:
    """Parse a query in web search syntax: `word`, `"exact phrase"`, `-not`, `this OR that`.

    Args:
        text: any string.
        config: the search configuration of the model.
        match: whether `all` words must match, or `any`, or the whole text as a `phrase`.
        fuzzy: allow one wrong, missing, extra or swapped letter in words of four or more letters.
        prefix: treat the last word as a prefix, unless a space or a quote ends it.

    Returns:
        The query, or None if there is nothing to search for.
    """
    complete = text[-1:].isspace() or text.endswith('"')
    text = analyzer.clean(text)
    if match == "phrase":
        phrase = _term(text)
        return Query(((phrase,),)) if phrase else None
    groups, excluded = _read(text)
    if match == "all":
        stop_words = analyzer.STOP_WORDS.get(config.language, frozenset())
        groups = _without_stop_words(groups, stop_words)
    else:
        groups = [[term for group in groups for term in group]]
    if not any(groups):
        return None
    if fuzzy:
        groups = [[_fuzzy(term) for term in group] for group in groups]
    if prefix and not complete:
        groups[-1][-1] = replace(groups[-1][-1], prefix=True)
    return Query(tuple(map(tuple, groups)), tuple(excluded))


def _read(text: str) -> tuple[list[list[Term]], list[Term]]:
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    follows_or = False
    for token in list(_token.finditer(text))[: analyzer.MAX_TERMS * 2]:
        if token["word"] == "OR" and not token["minus"]:
            follows_or = bool(groups)
            continue
        term = _term(token["quoted"] or token["word"] or "")
        if term is None:
            continue
        if token["minus"]:
            excluded.append(term)
        elif follows_or:
            groups[-1].append(term)
        else:
            groups.append([term])
        follows_or = False
    return groups[: analyzer.MAX_TERMS], excluded[: analyzer.MAX_TERMS]


def _term(text: str) -> Term | None:
    tokens = tuple(analyzer.tokenize(text))
    return Term(text.strip().lower(), tokens) if tokens else None


def _without_stop_words(groups: list[list[Term]], stop_words: frozenset[str]) -> list[list[Term]]:
    kept = [group for group in groups if len(group) > 1 or group[0].text not in stop_words]
    return kept or groups


def _fuzzy(term: Term) -> Term:
    word = term.words[0]
    simple = not term.is_phrase and word.isascii() and word.isalpha()
    return replace(term, fuzzy=simple and len(word) in FUZZY_LENGTHS)
