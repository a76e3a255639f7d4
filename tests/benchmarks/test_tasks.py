"""The benchmark of background work runs, and the outbox costs less than a message."""

import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
@pytest.mark.long("starts servers of its own, and compares speeds")
def test_outbox_costs_less_than_a_task() -> None:
    command = [sys.executable, "benchmarks/tasks.py", "--rounds", "100"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    rows = [line.strip("| ").split(" | ") for line in printed.stdout.splitlines()[2:]]
    medians = {name: float(median) for name, median, *_ in rows}
    assert medians["insert"] < medians["delay"]
