"""Password validation: rejects what an attacker would guess first.

The estimate is zxcvbn's, which knows common words, names, dates, keyboard rows, repetitions and
their disguises. Own code around it leaves out the words of this site and of the person, because the
library counts each of them as one guess more, so that with a common word and a year they pass.
"""

import logging
from collections.abc import Iterable
from itertools import groupby
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django_pwned import api

from apps.users.models import User
from apps.users.models.user import MAX_PASSWORD

logger = logging.getLogger(__name__)

MIN_GUESSES = 10**8  # zxcvbn calls this score 3 of 4: safe from guessing at a login page
# Characters that are looked at: more make no password easier to guess.
MAX_COMPARED = 256
MAX_ESTIMATED = 32  # zxcvbn's time grows with the square
# zxcvbn tries all combinations of the letters that these may stand for: some 500, if all occur.
AMBIGUOUS = frozenset("0123456789!@$%()+<[{|")
MAX_AMBIGUOUS = 8
MAX_ESTIMATED_IF_AMBIGUOUS = 16

# What people write for letters. 1 may be an I or an L.
LEET = [str.maketrans("0134578@$!+(", f"o{letter}eastbasitc") for letter in "li"]
MIN_WORD = 3  # letters; shorter words occur in too many others


class MaximumLengthValidator:
    """Rejects passwords longer than `MAX_PASSWORD`, which the other validators here do not look at.

    Forms refuse them before (`apps.users.passwords`); this is for `createsuperuser`.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        del user
        if len(password) > MAX_PASSWORD:
            raise ValidationError(
                f"This password is too long. It may contain at most {MAX_PASSWORD:,} characters.",
                code="password_too_long",
            )

    def get_help_text(self) -> str:
        return f"Your password can contain up to {MAX_PASSWORD:,} characters of any kind."


class GuessablePasswordValidator(CommonPasswordValidator):
    """Rejects passwords that are easy to guess, or built on words of this site or of the person.

    Rejected are common passwords with digits and symbols around them (`P@ssw0rd2026!`), and those
    that zxcvbn expects to be found within `MIN_GUESSES`. Words of the site and of the person count
    for nothing, however they are disguised (`D0ve-tail`), nor does the repetition of a word: what
    is left has to be hard to guess by itself. The site's words are its name, its host and
    `PASSWORD_WORDS`; the person's are the display name and the address (docs/accounts.md).
    """

    def validate(self, password: str, user: User | None = None) -> None:
        if len(password) > MAX_PASSWORD:
            return  # MaximumLengthValidator rejects it
        whole = password[:MAX_COMPARED].lower()
        rest = _without_repeated_words(_without(_known_words(user), whole))
        if rest != whole:
            rest = _without_ends(rest)
        if any(self._is_common(text) or _is_guessable(text) for text in {whole, rest}):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def get_error_message(self) -> str:
        return (
            "This password is too easy to guess. Combine words that have nothing to do with each "
            "other, with you or with this site."
        )

    def get_help_text(self) -> str:
        return (
            "Avoid common words, patterns and repetitions, and words about you or this site, even "
            "with digits or symbols around them."
        )

    def _is_common(self, text: str) -> bool:
        """Return whether a text is a common password, without what people add to satisfy a rule."""
        letters = [at for at, character in enumerate(text) if character.isalpha()]
        start, end = (letters[0], letters[-1] + 1) if letters else (0, 0)
        guesses = {text, text[:end], text[start:end]}
        guesses |= {guess.translate(table) for guess in guesses for table in LEET}
        return not guesses.isdisjoint(self.passwords)


class BreachedPasswordValidator:
    """Rejects passwords from known breaches, which it looks up at Pwned Passwords.

    Only the first five characters of the password's SHA-1 are sent, so the service does not learn
    the password. While it is unavailable, passwords are accepted without the lookup.

    It stands in for django-pwned's own validator, which fails on an answer that is no list, such as
    the page of a proxy, and does not log what follows.
    """

    def __init__(self, timeout: float = 2) -> None:
        """Create a validator.

        Args:
            timeout: for how many seconds to wait for the service.
        """
        self.timeout = timeout

    def validate(self, password: str, user: User | None = None) -> None:
        del user
        if len(password) > MAX_PASSWORD:
            return  # MaximumLengthValidator rejects it
        try:
            count = api.get_pwned_count(password, self.timeout)
        except (api.PwnedRequestError, ValueError) as error:
            logger.warning(
                "A password was accepted without looking it up among breached ones, because %s did "
                "not answer properly (%s).",
                api.API_ENDPOINT.removesuffix("/range/{}"),
                _reason(error),
            )
            return
        if count:
            raise ValidationError(
                "This password has appeared in a data breach, so attackers try it: choose another.",
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return "Avoid a password that has appeared in a data breach."


def _reason(error: Exception) -> str:
    """Name the error that django-pwned wraps, without its text, which quotes part of the hash."""
    cause = error.__context__ or error
    return type(cause).__name__


def _is_guessable(text: str) -> bool:
    # Here, because the word lists take 14 MB, and most processes never need them.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    text = text[:MAX_ESTIMATED]
    if len(AMBIGUOUS & set(text)) > MAX_AMBIGUOUS:
        text = text[:MAX_ESTIMATED_IF_AMBIGUOUS]
    return not text or zxcvbn(text)["guesses"] < MIN_GUESSES


def _known_words(user: User | None) -> list[str]:
    """Return the words of this site and of a person, forwards and backwards, the longest first."""
    host = urlsplit(settings.SITE_URL).hostname or ""
    texts = [settings.SITE_NAME, host, *settings.PASSWORD_WORDS]
    if user:
        texts += [user.email, user.display_name]
    words = set()
    for text in texts:
        parts = _words(text[:MAX_COMPARED].lower())
        words |= {*parts, "".join(parts)}
    words |= {word[::-1] for word in words}
    return sorted((word for word in words if len(word) >= MIN_WORD), key=lambda word: -len(word))


def _words(text: str) -> list[str]:
    return ["".join(group) for is_word, group in groupby(text, str.isalnum) if is_word]


def _without(words: Iterable[str], text: str) -> str:
    """Return a text without these words, wherever they occur, with or without a disguise."""
    for disguise in ({}, *LEET):
        while span := _find(words, text, disguise):
            text = text[: span[0]] + text[span[1] :]
    return text


def _find(words: Iterable[str], text: str, disguise: dict[int, int]) -> tuple[int, int] | None:
    """Return where one of the words starts and ends, None if there is none.

    What separates the letters of a word does not hide it.
    """
    plain = text.translate(disguise)
    places = [at for at, character in enumerate(plain) if character.isalnum()]
    letters = "".join(plain[at] for at in places)
    for word in words:
        if (at := letters.find(word)) >= 0:
            return places[at], places[at + len(word) - 1] + 1
    return None


def _without_repeated_words(text: str) -> str:
    """Return a text in which each word occurs once; single letters may repeat by chance."""
    seen: set[str] = set()
    kept = []
    for part in ("".join(group) for _, group in groupby(text, str.isalnum)):
        if len(part) == 1 or part not in seen:
            kept.append(part)
            seen.add(part)
    return "".join(kept)


def _without_ends(text: str) -> str:
    """Return a text without what separated it from the words before and after, if any is left."""
    places = [at for at, character in enumerate(text) if character.isalnum()]
    return text[places[0] : places[-1] + 1] if places else text
