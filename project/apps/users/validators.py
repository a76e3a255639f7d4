"""Password validation: rejects what an attacker would guess first."""

import re

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from apps.users.models import User

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


def _site_words() -> set[str]:
    host = re.sub(r"^https?://|[:/].*$", "", settings.SITE_URL)
    return {settings.SITE_NAME.lower(), host, *host.split("."), *settings.PASSWORD_WORDS}
