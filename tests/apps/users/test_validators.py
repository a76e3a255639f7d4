import contextlib
import time
from http import HTTPStatus

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given, strategies as st
from pytest_django.fixtures import Settings

from apps.users.models import User
from apps.users.models.user import MAX_PASSWORD
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
        " " * 10,
        "\u00e4" * 12,
        "x" * 1000,
        "p@ssw0rdp@ssw0rd",
        "password password",
        "password" * 128,
        "abcdefghijklm",
        "qazwsxedcrfv",
        "1234567890!@#$%^&*()",
    ],
)
def test_guessable_passwords_are_rejected(password: str) -> None:
    with pytest.raises(ValidationError, match="too easy to guess"):
        validate_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "a-joint-of-wood-29",
        "correct horse battery staple",
        "correcthorsebatterystaple",
        "92873465019283",
        "äöüßéèêëîïôû",
        "kX7qAnt92b",
        "}{:?<>|~`^[]",
        "k!7@x#2$q%9^",
        "  Ünder the " + "joint " * 20 + " ",
        "a joint of wood that holds for long " * 28,
    ],
)
def test_any_composition_is_accepted(password: str) -> None:
    validate_password(password)


# {} stands for a word of the site or of the person.
BUILT_ON_A_WORD = [
    "my{}2026",
    "{}admin1",
    "{}{}",
    "{}password!",
    "{}-2026-11-27",
    "welcome to {}",
    "Summer2026!{}",
    "i-love-{}",
    "12345{}67890",
]
ADA = User(email="grasshopper@workbench.example", display_name="Ada Quillfeather")


@pytest.mark.parametrize("built", BUILT_ON_A_WORD)
@pytest.mark.parametrize(
    "word",
    [
        project_settings.SITE_NAME,
        project_settings.SITE_NAME.upper(),
        project_settings.SITE_NAME[::-1],
        project_settings.SITE_NAME.replace("o", "0").replace("a", "@"),
        "-".join(project_settings.SITE_NAME),
        "localhost",
        "grasshopper",
        "Quillfeather",
        "Ada Quillfeather",
        "workbench",
    ],
)
def test_words_of_the_site_and_the_person_count_for_nothing(built: str, word: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(built.replace("{}", word), ADA)


@pytest.mark.parametrize("word", [project_settings.SITE_NAME, "localhost", "Quillfeather"])
def test_passphrase_may_contain_words_of_the_site_and_the_person(word: str) -> None:
    validate_password(f"{word} joints held her chest together", ADA)
    validate_password(f"her chest, {word}, was held by joints", ADA)


@pytest.mark.django_db
def test_words_of_the_person_are_rejected_at_sign_up(client: Client) -> None:
    password = "grasshopper-2026"
    data = {"password1": password, "password2": password}

    response = client.post("/accounts/signup/", data | {"email": "grasshopper@example.org"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not User.objects.exists()


def test_removing_a_word_does_not_hide_another() -> None:
    """Without "ass", "password" would be no word any more."""
    user = User(email="ass@example.org")
    with pytest.raises(ValidationError):
        validate_password("passwordpassword", user)


def test_removing_a_word_does_not_leave_one() -> None:
    name = project_settings.SITE_NAME
    with pytest.raises(ValidationError):
        validate_password(name[:4] * 3 + name[4:] * 3)


def test_password_words_are_rejected(settings: Settings) -> None:
    passwords = ["W00dworkers99!", "my-woodworkers-2026", "Wood Workers 1999"]
    for password in passwords:
        validate_password(password)
    settings.PASSWORD_WORDS = ["Woodworkers"]
    for password in passwords:
        with pytest.raises(ValidationError, match="too easy to guess"):
            validate_password(password)


def test_nine_characters_are_too_short() -> None:
    with pytest.raises(ValidationError, match="at least 10"):
        validate_password("jt-w9-xq!")


@given(st.text())
def test_validator_handles_any_text(password: str) -> None:
    try:
        GuessablePasswordValidator().validate(password)
    except ValidationError as error:
        assert error.code == "password_too_common"  # noqa: PT017 - it may also be taken


# Substitutes for letters, of which the estimate tries all combinations; and what it takes longest.
SLOW = [
    "4@8({[<369!1|70$5+2%",
    "4@5$7+1!",
    "({[<({[<69|!",
    "1234567890!@#$%^&*()",
    project_settings.SITE_NAME,
    "ab1",
    "01.02.2003",
    "a",
]


@pytest.mark.parametrize("unit", SLOW)
def test_validation_takes_no_longer_than_hashing(unit: str) -> None:
    """Kind: a password within the limit whose estimate keeps a worker busy."""
    password = (unit * MAX_PASSWORD)[:MAX_PASSWORD]
    hasher = PBKDF2PasswordHasher()
    validator = GuessablePasswordValidator()
    _spend(validator, "warm")

    def ratio() -> float:
        start = time.thread_time()
        hasher.encode(password, "salt")
        hashed = time.thread_time()
        _spend(validator, password)
        return (time.thread_time() - hashed) / (hashed - start)

    assert any(ratio() < 2 for _ in range(3))  # one measurement may be disturbed


def _spend(validator: GuessablePasswordValidator, password: str) -> None:
    with contextlib.suppress(ValidationError):
        validator.validate(password, ADA)
