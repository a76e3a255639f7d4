"""uv installs what the lock says, whatever a person's own configuration of uv is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from config import env
from tests.repository import ROOT, files

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


def test_uv_is_installed_in_one_known_version_with_hashes() -> None:
    """Kind: whatever was published last runs first, before any lock is read."""
    lines = (env.BASE_DIR / ".ci" / "uv.txt").read_text().splitlines()
    pin, *hashes = [line for line in lines if not line.startswith("#")]
    project = tomllib.loads((env.BASE_DIR / "pyproject.toml").read_text())

    version = re.fullmatch(r"uv==(\d+\.\d+\.\d+) \\", pin)
    assert version
    assert version[1] in SpecifierSet(project["tool"]["uv"]["required-version"])
    assert f"uv {version[1]}" in (env.BASE_DIR / "README.md").read_text()
    assert hashes
    assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)


def test_no_command_installs_another_uv() -> None:
    commands = [
        command
        for name in files()
        if name.suffix in {".md", ".py", ".sh", ".yaml", ""} and name.parts[0] != "tests"
        for command in re.findall(r"pip install [^`&|;\n\"]*", (ROOT / name).read_text())
    ]

    assert "pip install -r .ci/uv.txt " in commands
    assert not [command for command in commands if "uv" in command.replace(".ci/uv.txt", "")]
