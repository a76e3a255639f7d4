"""Encrypts files to public keys, in the format of age (https://age-encryption.org/v1).

By pyrage, which binds the Rust implementation: its wheels need no program in the image, and it
streams. The site has only public keys (recipients), so that someone who breaks into it, or into the
place of the backups, cannot read them. Only a restoration needs the private key (an identity).

A file does not say who wrote it: whoever may write to the place can put another one there.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from dovetail.backups.errors import BackupError
from dovetail.backups.streams import Counted, Reader

SUFFIX = ".age"
WRONG_KEY = "No matching keys found"


def recipients(keys: Sequence[str]) -> list[Any]:
    """Return the recipients that texts such as `age1…` stand for.

    Raises:
        BackupError: one is no public key, or pyrage is missing.
    """
    if not keys:
        return []
    x25519 = _x25519()
    found = []
    for number, key in enumerate(keys, 1):
        try:
            found.append(x25519.Recipient.from_str(key))
        except Exception as error:  # pyrage's own, which mypy does not know
            remedy = (
                "it is a private key, which must not be on the server: remove it, and give its "
                "public key, which starts with age1"
                if key.upper().startswith("AGE-SECRET-KEY-")
                else "give what `manage.py backup_key` prints, which starts with age1"
            )
            raise BackupError(
                f"Key {number} of BACKUP_RECIPIENTS is no public key: {remedy}."
            ) from error
    return found


def identities(path: Path) -> list[Any]:
    """Return the private keys in a file, as age-keygen and `manage.py backup_key` write it.

    Raises:
        BackupError: it cannot be read, or has none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BackupError(f"The identity file {path} cannot be read: {reason}.") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    x25519 = _x25519()
    try:
        found = [x25519.Identity.from_str(key) for key in keys]
    except Exception as error:
        raise BackupError(
            f"The identity file {path} has a line that is no private key: give the file that "
            "`manage.py backup_key` or age-keygen has written."
        ) from error
    if not found:
        raise BackupError(f"The identity file {path} has no private key: give another one.")
    return found


def new_identity() -> tuple[str, str]:
    """Return a new private key and its public key.

    Raises:
        BackupError: pyrage is missing.
    """
    identity = _x25519().Identity.generate()
    return str(identity), str(identity.to_public())


def write_identity(path: Path, private: str, public: str) -> None:
    """Write a private key to a new file that only this user may read.

    Raises:
        BackupError: there is such a file already, or it cannot be written.
    """
    try:
        with open(path, "x", encoding="utf-8", opener=private_opener) as file:
            file.write(f"# public key: {public}\n{private}\n")
    except OSError as error:
        raise BackupError(
            f"{path} cannot be created: {error.strerror}. Give a new file."
        ) from error


def private_opener(path: str, flags: int) -> int:
    """Open a file that only this user may read, for `open(opener=…)`."""
    return os.open(path, flags, 0o600)


def encrypt(source: Reader, target: IO[bytes] | Counted, to: list[Any]) -> None:
    import pyrage  # noqa: PLC0415 - an extra

    reader = Counted(source)
    writer = target if isinstance(target, Counted) else Counted(target=target)
    try:
        pyrage.encrypt_io(reader, writer, to)
    except pyrage.EncryptError as error:
        if failure := reader.failure or writer.failure:
            raise failure from None
        raise BackupError(f"A file could not be encrypted: {error}.") from error


def decrypt(source: Counted, target: IO[bytes] | Counted, keys: list[Any], path: str) -> None:
    """Decrypt a file. What was written to the target counts only if this returns.

    Raises:
        BackupError: it is for other keys, or was changed or cut off.
    """
    import pyrage  # noqa: PLC0415 - an extra

    writer = target if isinstance(target, Counted) else Counted(target=target)
    try:
        pyrage.decrypt_io(source, writer, keys)
    except (pyrage.DecryptError, OSError) as error:
        if failure := source.failure or writer.failure:
            raise failure from None
        if WRONG_KEY in str(error):
            raise BackupError(
                f"The key does not fit: {path} was encrypted to another one. Give the identity "
                "file that belongs to BACKUP_RECIPIENTS of that time."
            ) from error
        raise BackupError(f"{path} is damaged: it cannot be decrypted ({error}).") from error


def _x25519() -> Any:
    if not find_spec("pyrage"):
        raise BackupError(
            "Encrypted backups need the extra: install it with `uv sync --extra backup`."
        )
    from pyrage import x25519  # noqa: PLC0415 - an extra

    return x25519
