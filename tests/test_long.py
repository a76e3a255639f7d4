"""The long tests: skipped with a reason by default, and always part of CI."""

import os
import re
import subprocess
import sys

from tests.repository import ROOT

LONG = "tests/dovetail/devtools/stack/test_up.py::test_killing_the_guard_stops_everything"


def test_long_test_is_skipped_with_its_reason() -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-rs", "-p", "no:cacheprovider", LONG],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout
    assert "runs with --long: starts a stack" in result.stdout


def test_ci_runs_the_long_tests_by_the_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.escape("uv run .ci/readme.py second")
    ci = (ROOT / "bin/ci").read_text(encoding="utf-8")

    assert re.search(r"^```sh\n.*\nuv run pytest\n```", readme, re.MULTILINE)
    assert "`uv run pytest --long`" in readme
    assert re.search(rf'^ *PYTEST_ADDOPTS="--long .*" {command}$', ci, re.MULTILINE)
    nix = (ROOT / "nix/checks.nix").read_text(encoding="utf-8")
    assert re.search(r"^ *pytest .*--long", nix, re.MULTILINE)
