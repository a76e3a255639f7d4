"""The analyzer: turns text into the same tokens for queries, ParadeDB and PostgreSQL.

ParadeDB splits text at Unicode word boundaries (UAX #29), where every Chinese or Japanese character
is a token, and folds accented Latin letters. PostgreSQL's parser does neither, and recognizes file
names, tags and host names instead. So on PostgreSQL text first passes through `search_words()`, a
database function generated from the same tables as `tokenize` and `fold`.
"""

import re
import unicodedata

# Private-use characters: the first two enclose a hit in a snippet, the third starts a snippet that
# is not escaped yet. `clean` removes them from queries.
HIT_START, HIT_END, UNESCAPED = "\ue000", "\ue001", "\ue002"

MAX_LENGTH = 400  # characters of a query; the rest is ignored
MAX_TERMS = 16

# Character classes in a syntax that both Python and PostgreSQL understand.
# Hiragana and Han ideographs: written without spaces, so each character is a token.
UNSPACED = r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Punctuation and symbols except apostrophes, which are removed without splitting the word.
SEPARATORS = (
    r"\u0021-\u0026\u0028-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4"
    r"\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u2000-\u2018\u201a-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u3000-\u3004\u3008-\u3020\u3030\u30fb\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\U0001f000-\U0001faff"
)
APOSTROPHES = ("'", "\u2019")
ACCENTS = r"([A-Za-z])[\u0300-\u036f]+"  # in decomposed (NFD) text
# Latin letters without a decomposition.
LETTERS = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "TH",
    "\u0131": "i",
}

# Ignored in a search for all words, unless it contains nothing else: they phrase a question, but
# don't name its subject.
STOP_WORDS = {
    "english": frozenset(
        """a an and are as at be by can do does for from has have how i in is it its my of on or our
        that the their this to was we were what when where which who why will with you your
        """.split()  # noqa: SIM905 - read as a sentence
    ),
}

_accents = re.compile(ACCENTS)
_letters = str.maketrans(LETTERS)
_blank = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return text that every engine accepts: NFC, of limited length, no NUL, no lone surrogate."""
    text = text[:MAX_LENGTH].encode("utf-8", "ignore").decode("utf-8")
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Co"} else c for c in text)
    return _blank.sub(" ", unicodedata.normalize("NFC", text)).strip()


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text as PostgreSQL's index contains them, but not stemmed."""
    for apostrophe in APOSTROPHES:
        text = text.replace(apostrophe, "")
    text = re.sub(f"[{SEPARATORS}]", " ", text)
    text = re.sub(f"([{UNSPACED}])", r" \1 ", text)
    return [fold(word) for word in text.split() if any(map(str.isalnum, word))]


def fold(text: str) -> str:
    """Return a text in lowercase, with the accents of Latin letters removed."""
    bare = _accents.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).translate(_letters).lower()


def edits(word: str) -> list[str]:
    """Return all strings at edit distance 1 from a word; a transposition counts as one edit.

    ParadeDB runs an automaton over its index instead. PostgreSQL's core has nothing similar and
    extensions are optional, so the candidates are listed, some 53 per letter, and looked up.
    """
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    found = {head + tail[1:] for head, tail in cuts if tail}
    found |= {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if tail[1:]}
    found |= {head + letter + tail[1:] for head, tail in cuts if tail for letter in alphabet}
    found |= {head + letter + tail for head, tail in cuts for letter in alphabet}
    return sorted(found - {word})
