"""What a word is: the same for the query, for ParadeDB and for PostgreSQL's own search.

ParadeDB splits text by Unicode's word boundaries (UAX #29), which keeps every Chinese or Japanese
character a word of its own, and folds accented Latin letters. PostgreSQL's parser knows neither,
but file names, tags and host names instead. So text goes through `search_words()` first, a function
in the database that is made of the same tables as `split` and `fold` here.
"""

import re
import unicodedata

# Private characters that stand around a hit in a snippet, and before one that is no HTML yet. They
# are taken out of what people search for.
HIT_START, HIT_END, UNESCAPED = "\ue000", "\ue001", "\ue002"

MAX_LENGTH = 400  # characters of a query that are looked at
MAX_TERMS = 16

# Code points, in a form that Python and PostgreSQL both read.
# A word each, for they are written without spaces: hiragana and the Han ideographs.
SINGLES = r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Punctuation and symbols, without the apostrophes, which only drop out of their word.
SEPARATORS = (
    r"\u0021-\u0026\u0028-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4"
    r"\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u2000-\u2018\u201a-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u3000-\u3004\u3008-\u3020\u3030\u30fb\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\U0001f000-\U0001faff"
)
APOSTROPHES = ("'", "\u2019")
ACCENTS = r"([A-Za-z])[\u0300-\u036f]+"  # in decomposed text
# Latin letters that do not decompose.
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

# Left out of a search for all words that has others: what a question is made of, not what it is
# about.
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
    """Return text that every engine accepts, in NFC: no NUL, no lone surrogate, not too long."""
    text = text[:MAX_LENGTH].encode("utf-8", "ignore").decode("utf-8")
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Co"} else c for c in text)
    return _blank.sub(" ", unicodedata.normalize("NFC", text)).strip()


def split(text: str) -> list[str]:
    """Return the words of a text, folded and in lower case, as the index of PostgreSQL has them."""
    for apostrophe in APOSTROPHES:
        text = text.replace(apostrophe, "")
    text = re.sub(f"[{SEPARATORS}]", " ", text)
    text = re.sub(f"([{SINGLES}])", r" \1 ", text)
    return [fold(word) for word in text.split() if any(map(str.isalnum, word))]


def fold(text: str) -> str:
    """Return a text in lower case, Latin letters without their accents."""
    bare = _accents.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).translate(_letters).lower()


def misspellings(word: str) -> list[str]:
    """Return what a word may have been meant to be: one letter wrong, missing, extra or swapped.

    ParadeDB finds these with an automaton on its index. PostgreSQL has none in its core, and no
    extension may be required, so there they are listed: 53 words a letter, looked up in one scan.
    """
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    found = {head + tail[1:] for head, tail in cuts if tail}
    found |= {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if tail[1:]}
    found |= {head + letter + tail[1:] for head, tail in cuts if tail for letter in alphabet}
    found |= {head + letter + tail for head, tail in cuts for letter in alphabet}
    return sorted(found - {word})
