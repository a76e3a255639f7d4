"""Encryption of secrets in the database, such as TOTP seeds, with keys derived from SECRET_KEY.

A copy of the database alone reveals none of them.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Part of the derived key, so it must not follow the module's name: with any other value, secrets
# that are already stored can't be decrypted.
INFO = b"apps.users.secrets"


def encrypt(text: str) -> str:
    """Return the text encrypted with SECRET_KEY."""
    return _cipher().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return the text that was encrypted with SECRET_KEY or one of SECRET_KEY_FALLBACKS.

    Raises:
        ImproperlyConfigured: it was encrypted with a key that is no longer configured.
    """
    try:
        return _cipher().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "Could not decrypt an account's secret, because SECRET_KEY has changed: "
            "add the previous key to SECRET_KEY_FALLBACKS."
        ) from error


def _cipher() -> MultiFernet:
    return MultiFernet(
        [Fernet(_derive(key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _derive(key: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=INFO)
    return base64.urlsafe_b64encode(derivation.derive(key.encode()))
