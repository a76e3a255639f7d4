"""The web server answers about as cheaply, beside gunicorn, as benchmarks/README.md says."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT

KEPT = 2 / 3  # of what the report says
ATTEMPTS = 3  # what has become dearer is so each time; another program is only now and then


def ratios(report: str) -> dict[str, float]:
    """Return the figures of the server of the kit by page, from the first table of a report."""
    [table] = re.findall(r"^\|page\|ms of the first\|.*\n\|.*\n((?:\|.*\n)+)", report, re.MULTILINE)
    rows = (line.strip("|").split("|") for line in table.splitlines())
    return {page: float(cells[-1]) for page, *cells in rows}


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs gunicorn")
@pytest.mark.long("compares servers, one page after the other")
def test_answers_cost_no_more_than_the_report_says() -> None:
    promised = ratios((ROOT / "benchmarks/README.md").read_text())
    best = dict.fromkeys(promised, 0.0)
    dearer: dict[str, float] = {}
    for _ in range(ATTEMPTS):
        now = measure()
        assert now.keys() == promised.keys()
        best = {page: max(now[page], best[page]) for page in now}
        dearer = {page: ratio for page, ratio in best.items() if ratio < KEPT * promised[page]}
        if not dearer:
            break
    assert not dearer, {page: promised[page] for page in dearer}


def measure() -> dict[str, float]:
    command = [sys.executable, "benchmarks/http.py", "--short", "--rounds", "3", "--seconds", "0.7"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ratios(ran.stdout)
