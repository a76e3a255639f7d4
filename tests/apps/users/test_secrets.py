import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from apps.users.secrets import decrypt, encrypt


def test_what_is_encrypted_can_be_decrypted_and_not_read() -> None:
    assert decrypt(encrypt("seed")) == "seed"
    assert "seed" not in encrypt("seed")
    assert encrypt("seed") != encrypt("seed")


def test_a_former_key_still_opens_what_it_closed(settings: Settings) -> None:
    encrypted = encrypt("seed")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new" * 20

    assert decrypt(encrypted) == "seed"


def test_a_lost_key_is_named(settings: Settings) -> None:
    encrypted = encrypt("seed")
    settings.SECRET_KEY = "new" * 20

    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        decrypt(encrypted)
