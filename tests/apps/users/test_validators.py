import pytest
from django.conf import settings as project_settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from hypothesis import given, strategies as st
from pytest_django.fixtures import Settings

from apps.users.validators import GuessablePasswordValidator


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "1234567890123",
        "P@ssw0rd2026!",
        "Qwerty!2345678",
        "  Summer2026  ",
        "$ecret12345678",
        "2026Dragon2026!!",
        f"{project_settings.SITE_NAME}-2026!",
        "localhost12345",
    ],
)
def test_guessable_passwords_are_rejected(password: str) -> None:
    with pytest.raises(ValidationError, match="too easy to guess"):
        validate_password(password)


@pytest.mark.parametrize(
    "password",
    ["a-joint-of-wood-29", "correct horse battery staple", "92873465019283", "ä" * 12, "x" * 4000],
)
def test_any_composition_is_accepted(password: str) -> None:
    validate_password(password)


def test_password_words_are_rejected(settings: Settings) -> None:
    validate_password("woodworkers99!")
    settings.PASSWORD_WORDS = ["woodworkers"]
    with pytest.raises(ValidationError):
        validate_password("W00dworkers99!")


def test_nine_characters_are_too_short() -> None:
    with pytest.raises(ValidationError, match="at least 10"):
        validate_password("jt-w9-xq!")


@given(st.text())
def test_validator_handles_any_text(password: str) -> None:
    try:
        GuessablePasswordValidator().validate(password)
    except ValidationError as error:
        assert error.code == "password_too_common"  # noqa: PT017 - it may also be taken
