"""`bin/npm` and the scripts that use it run on a Node that the front end supports."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.stack.frontend import MINIMUM_NODE, is_supported

ROOT = settings.BASE_DIR

pytestmark = pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which runs bin/npm")


def npm(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "bin" / "npm", *arguments],
        env=os.environ | {"DATA_DIR": str(settings.DATA_DIR)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def old_node(tmp_path: Path) -> str:
    """Return a PATH that begins with a Node past its end of life."""
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v20.20.2\n")
        program.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def test_npm_and_what_it_starts_run_on_a_new_node_even_if_path_has_an_old_one(
    old_node: str,
) -> None:
    """Kind: checks that run on whatever the machine happens to have."""
    done = npm("exec", "-c", "node --version && pwd", PATH=old_node)

    version, folder = done.stdout.splitlines()
    assert is_supported(version.removeprefix("v")), done.stderr
    assert folder == str(ROOT / "frontend")


def test_npm_gets_all_arguments_and_its_status_is_returned() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", npm("--version").stdout)
    assert npm("exec", "-c", "exit 3").returncode == 3


def test_front_end_can_be_checked_while_the_settings_are_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.env"
    wrong.write_text("NO_SUCH_SETTING=1\n")

    assert npm("--version", ENV_FILE=str(wrong), DEBUG="maybe").returncode == 0


def test_package_json_demands_the_oldest_node_that_is_used() -> None:
    engines = json.loads((ROOT / "frontend" / "package.json").read_text())["engines"]

    assert engines["node"] == f">={'.'.join(map(str, MINIMUM_NODE))}"


@pytest.mark.parametrize("script", ["bin/ci", "bin/setup", ".ci/run", ".pre-commit-config.yaml"])
def test_scripts_start_npm_only_through_bin_npm(script: str) -> None:
    text = (ROOT / script).read_text(encoding="utf-8")
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())

    assert re.findall(r"(?<![/\w-])npm (?=\w)", code) == []
