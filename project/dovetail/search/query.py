"""What people type, as a tree that both engines render to SQL.

Own code because the engines' parsers differ, raise on some input, or let the visitor name a column.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from dovetail.search import words
from dovetail.search.config import SearchConfig

Match = Literal["all", "any", "phrase"]

_token = re.compile(r'(?P<minus>-?)(?:"(?P<quoted>[^"]*)"?|(?P<word>[^\s"]+))')
FUZZY_LENGTHS = range(4, 31)  # letters; shorter words have too many neighbours


@dataclass(frozen=True)
class Term:
    """A word or a phrase.

    Attributes:
        text: as typed, cleaned; ParadeDB splits and folds it as it did the column.
        words: its words, folded; they follow one another where there are several.
        fuzzy: whether a typing error in it is forgiven.
        prefix: whether it may be the beginning of a word.
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
    """Every group must match, by one of its terms at least, and none of the excluded terms."""

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
    """Read a query as people write it: `word`, `"exact phrase"`, `-not`, `this OR that`.

    Args:
        text: any string.
        config: of the model that is searched.
        match: whether all words must match, or any, or all of the text as one phrase.
        fuzzy: forgive one wrong, missing, extra or swapped letter in a word of four or more.
        prefix: take the last word as the beginning of one.

    Returns:
        The query, or None when there is nothing to look for.
    """
    complete = text[-1:].isspace() or text.endswith('"')
    text = words.clean(text)
    if match == "phrase":
        phrase = _term(text)
        return Query(((phrase,),)) if phrase else None
    groups, excluded = _read(text)
    if match == "all":
        groups = _without_stop_words(groups, words.STOP_WORDS.get(config.language, frozenset()))
    else:
        groups = [[term for group in groups for term in group]]
    if not any(groups):
        return None
    if fuzzy:
        groups = [[_forgiving(term) for term in group] for group in groups]
    if prefix and not complete:
        groups[-1][-1] = replace(groups[-1][-1], prefix=True)
    return Query(tuple(map(tuple, groups)), tuple(excluded))


def _read(text: str) -> tuple[list[list[Term]], list[Term]]:
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    joins = False  # whether an OR stands before
    for token in list(_token.finditer(text))[: words.MAX_TERMS * 2]:
        if token["word"] == "OR" and not token["minus"]:
            joins = bool(groups)
            continue
        term = _term(token["quoted"] or token["word"] or "")
        if term is None:
            continue
        if token["minus"]:
            excluded.append(term)
        elif joins:
            groups[-1].append(term)
        else:
            groups.append([term])
        joins = False
    return groups[: words.MAX_TERMS], excluded[: words.MAX_TERMS]


def _term(text: str) -> Term | None:
    found = tuple(words.split(text))
    return Term(text.strip().lower(), found) if found else None


def _without_stop_words(groups: list[list[Term]], stop_words: frozenset[str]) -> list[list[Term]]:
    kept = [group for group in groups if len(group) > 1 or group[0].text not in stop_words]
    return kept or groups


def _forgiving(term: Term) -> Term:
    word = term.words[0]
    simple = not term.is_phrase and word.isascii() and word.isalpha()
    return replace(term, fuzzy=simple and len(word) in FUZZY_LENGTHS)
