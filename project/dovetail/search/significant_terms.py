"""Significant terms of a text, by which both engines find similar rows.

Own code because pg_search's `more_like_this` fails on an index with more deleted than remaining
rows: Tantivy counts a term in all rows, but the rows without the deleted ones ("21 >= 27").
"""

from collections import Counter
from collections.abc import Mapping

from dovetail.search import analyzer
from dovetail.search.config import SearchConfig

MAX_CHARACTERS = 100_000  # considered per text


def significant_terms(texts: Mapping[str, str], config: SearchConfig, limit: int) -> list[str]:
    """Return the terms that describe a row best: frequent, long and in fields with a high weight.

    Length stands in for rarity, because long words are rarer in any language; this needs no corpus
    statistics.

    Args:
        texts: the row's texts by field.
        config: the search configuration with the weights and the language.
        limit: the maximum number of terms.

    Returns:
        The terms without stop words, most significant first.
    """
    weights: Counter[str] = Counter()
    for field, text in texts.items():
        for token in analyzer.tokenize(text[:MAX_CHARACTERS]):
            weights[token] += config.weights[field] * len(token)  # type: ignore[assignment]
    for word in analyzer.STOP_WORDS.get(config.language, ()):
        weights.pop(word, None)
    return [term for term, _ in weights.most_common(limit)]
