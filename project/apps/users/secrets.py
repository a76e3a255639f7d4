"""Secrets that the database holds, encrypted under SECRET_KEY: a copy of it alone gives none."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypt(text: str) -> str:
    return _cipher().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return what was encrypted under SECRET_KEY or one of SECRET_KEY_FALLBACKS.

    Raises:
        ImproperlyConfigured: it was under another key.
    """
    try:
        return _cipher().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A secret of an account was encrypted under another SECRET_KEY: "
            "put that one into SECRET_KEY_FALLBACKS."
        ) from error


def _cipher() -> MultiFernet:
    return MultiFernet(
        [Fernet(_derive(key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _derive(key: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=__name__.encode())
    return base64.urlsafe_b64encode(derivation.derive(key.encode()))
