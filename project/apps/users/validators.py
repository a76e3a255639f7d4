"""Passwords that somebody who guesses tries first."""

import re

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from apps.users.models import User

LEET = str.maketrans("013457@$!", "oleastasi")


class GuessablePasswordValidator(CommonPasswordValidator):
    """Refuses common passwords in their usual disguises, and the words of this site.

    Django refuses `password123`, not `P@ssw0rd2026!`. What is compared is the word inside, without
    what people put around it to please a rule. The words of this site are its name, its host and
    `PASSWORD_WORDS` (docs/accounts.md).
    """

    def validate(self, password: str, user: User | None = None) -> None:
        del user  # UserAttributeSimilarityValidator looks at that
        word = password.lower()
        without_end = re.sub(r"[\W\d_]+$", "", word)
        inside = re.sub(r"^[\W\d_]+", "", without_end)
        guesses = {word, without_end, inside}
        guesses |= {guess.translate(LEET) for guess in guesses}
        if guesses & (self.passwords | _site_words()):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def get_error_message(self) -> str:
        return "This password is too easy to guess: a common word with digits or signs around it."

    def get_help_text(self) -> str:
        return "Choose no common word with digits or signs around it."


def _site_words() -> set[str]:
    host = re.sub(r"^https?://|[:/].*$", "", settings.SITE_URL)
    return {settings.SITE_NAME.lower(), host, *host.split("."), *settings.PASSWORD_WORDS}
