import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from apps.users.encryption import decrypt, encrypt


def test_encryption_round_trip() -> None:
    assert decrypt(encrypt("seed")) == "seed"
    assert "seed" not in encrypt("seed")
    assert encrypt("seed") != encrypt("seed")


def test_fallback_keys_decrypt_older_secrets(settings: Settings) -> None:
    encrypted = encrypt("seed")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new" * 20

    assert decrypt(encrypted) == "seed"


def test_secrets_stored_by_earlier_versions_can_be_decrypted(settings: Settings) -> None:
    settings.SECRET_KEY = "old" * 20
    stored = "gAAAAABrCHM8L8mweWAC-z_oIAvD6XT7j2EAVQsJe_wUMLaMtejG8jlW2RKP"
    stored += "p8Owmrj_8x-wSvyIYnLkEmOGHkOKxnz8Iq2Lsg=="

    assert decrypt(stored) == "seed"


def test_missing_key_error_names_the_setting(settings: Settings) -> None:
    encrypted = encrypt("seed")
    settings.SECRET_KEY = "new" * 20

    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        decrypt(encrypted)
