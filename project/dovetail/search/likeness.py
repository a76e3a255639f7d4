"""What a text is about: the words by which others like it are found, the same for both engines.

Own code because pg_search's `more_like_this` fails on an index whose deleted rows are more than its
others (Tantivy counts a word in all of them, the rows without the deleted: "21 >= 27").
"""

from collections import Counter
from collections.abc import Mapping

from dovetail.search import words
from dovetail.search.config import SearchConfig

MAX_CHARACTERS = 100_000  # of a text that are looked at


def telling_words(texts: Mapping[str, str], config: SearchConfig, limit: int) -> list[str]:
    """Return the words that say most about a row: frequent, in a field that weighs, and long.

    Longer words are rarer in any language, and no statistics are asked.

    Args:
        texts: by field.
        config: has the weights of the fields, and the language.
        limit: of the words, best first.
    """
    counts: Counter[str] = Counter()
    for field, text in texts.items():
        for word in words.split(text[:MAX_CHARACTERS]):
            counts[word] += config.weights[field] * len(word)  # type: ignore[assignment]
    for word in words.STOP_WORDS.get(config.language, ()):
        counts.pop(word, None)
    return [word for word, _ in counts.most_common(limit)]
