"""Password validation: rejects what an attacker would guess first."""

import logging
import re

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django_pwned import api

from apps.users.models import User

logger = logging.getLogger(__name__)
LEET = str.maketrans("013457@$!", "oleastasi")


class GuessablePasswordValidator(CommonPasswordValidator):
    """Rejects common passwords in their usual disguises, and words that relate to this site.

    Django rejects `password123` but accepts `P@ssw0rd2026!`. This validator compares the word
    inside, without the digits and symbols that people add to satisfy a rule. The site's words are
    its name, its host and `PASSWORD_WORDS` (docs/accounts.md).
    """

    def validate(self, password: str, user: User | None = None) -> None:
        del user  # UserAttributeSimilarityValidator compares with the user
        word = password.lower()
        without_end = re.sub(r"[\W\d_]+$", "", word)
        inside = re.sub(r"^[\W\d_]+", "", without_end)
        guesses = {word, without_end, inside}
        guesses |= {guess.translate(LEET) for guess in guesses}
        if guesses & (self.passwords | _site_words()):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def get_error_message(self) -> str:
        return "This password is too easy to guess: it consists of a common word and little else."

    def get_help_text(self) -> str:
        return "Avoid a common word, even with digits or symbols around it."


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


def _site_words() -> set[str]:
    host = re.sub(r"^https?://|[:/].*$", "", settings.SITE_URL)
    return {settings.SITE_NAME.lower(), host, *host.split("."), *settings.PASSWORD_WORDS}
