"""uv installs what the lock says, whatever a person's own configuration of uv is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import env

UV = os.environ.get("UV") or shutil.which("uv")


@pytest.mark.skipif(not UV, reason="needs uv")
@pytest.mark.parametrize("newest", ["2026-01-01T00:00:00Z", "30 days"])
def test_cutoff_in_a_persons_configuration_does_not_change_the_lock(
    tmp_path: Path, newest: str
) -> None:
    """Kind: a setting of the person's machine that makes `uv run` resolve in spite of the lock."""
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(env.BASE_DIR / name, tmp_path)
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(f'exclude-newer = "{newest}"\n')

    result = subprocess.run(
        [str(UV), "lock", "--check", "--offline", "--no-cache", "--python", sys.executable],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
