"""Keys, and what is wrong with them."""

from pathlib import Path

import pytest

from dovetail.backups import encryption
from dovetail.backups.errors import BackupError

SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvQ0xVg6Cq5H3QzvC2q5C5l2m7mD8J1mQ9lLJ3q4kPq"


@pytest.mark.parametrize("key", ["x", "age1zzz", "", SSH, "AGE1", "é"])
def test_public_key_that_is_none(key: str) -> None:
    _, public = encryption.new_identity()

    with pytest.raises(BackupError, match=r"^Key 2 of BACKUP_RECIPIENTS is no public key: give"):
        encryption.recipients([public, key])


def test_private_key_on_the_server_is_refused_and_not_shown() -> None:
    private, _ = encryption.new_identity()

    with pytest.raises(
        BackupError, match=r"it is a private key, which must not be on the"
    ) as error:
        encryption.recipients([private])

    assert private not in str(error.value)


def test_new_key_is_for_its_owner_and_replaces_none(tmp_path: Path) -> None:
    file = tmp_path / "key"
    private, public = encryption.new_identity()

    encryption.write_identity(file, private, public)

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(encryption.identities(file)) == 1
    with pytest.raises(BackupError, match=r"cannot be created: File exists"):
        encryption.write_identity(file, private, public)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "x", "age1zzz", b"\xff\xfe"])
def test_identity_file_without_a_key(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(BackupError, match=r"^The identity file .*(has|cannot be read)"):
        encryption.identities(file)


def test_missing_identity_file(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"cannot be read: No such file"):
        encryption.identities(tmp_path / "none")
