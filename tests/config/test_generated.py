from pathlib import Path
from stat import S_IMODE

import pytest

from config.generated import secret


def test_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "data" / "jwt.key"
    made = secret(path)

    assert len(made) > 50
    assert secret(path) == made
    assert secret(tmp_path / "other.key") != made
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_secret_of_a_faster_process_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jwt.key"
    made = secret(path)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert secret(path) == made


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert len(secret(tmp_path / "file" / "jwt.key")) > 50
