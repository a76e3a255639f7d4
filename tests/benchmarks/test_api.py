"""The benchmark of the API runs, and the API is not slower than what it was written to outrun."""

import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT

LIST, UNCHANGED = "list of 20", "article, unchanged"


def run(*options: str) -> dict[tuple[str, str], float]:
    """Return the answers per second of processor time, by what was asked for and who answered."""
    command = [sys.executable, "benchmarks/api.py", *options]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    rows = [line.strip("| ").split(" | ") for line in printed.stdout.splitlines() if "|" in line]
    return {(asked, who): float(rate) for asked, who, rate, *_ in rows[2:]}


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
@pytest.mark.long("starts servers of its own, and compares speeds")
def test_api_is_faster_than_a_plain_viewset() -> None:
    rates = run("--articles", "100", "--rounds", "10")

    assert {who for _, who in rates} == {"API", "plain", "tuned", "limit"}
    # The goals, and what was measured, are in benchmarks/README.md. The margins are for machines
    # that have other work.
    assert rates[LIST, "API"] > 2 * rates[LIST, "plain"]
    assert rates[UNCHANGED, "API"] > 1.2 * rates["article", "API"]
