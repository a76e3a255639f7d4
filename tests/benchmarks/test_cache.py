"""The benchmark of the caches runs, and its claims hold."""

import re
import shutil
import subprocess
import sys

import pytest

from dovetail.devtools.embedded.valkey import find_installed
from tests.repository import ROOT


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
@pytest.mark.skipif(find_installed() is None, reason="needs valkey-server or redis-server")
@pytest.mark.long("starts servers of its own, and compares speeds")
def test_caches_compute_once_and_survive_an_outage() -> None:
    command = [sys.executable, "benchmarks/cache.py", "--rounds", "600", "--articles", "50"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    ratios = {
        name: float(ratio)
        for name, ratio in re.findall(
            r"^\| (.+?) \|.* \| ([\d.]+) \|$", printed.stdout, re.MULTILINE
        )
    }
    assert ratios["`cache.get`"] < ratios["`cache.get` of Django"]
    assert ratios["/"] > 1
    assert ratios["/articles/"] > 1
    assert "computed 1 times" in printed.stdout
    assert " 0 errors, " in printed.stdout
    assert not re.search(r"\b0 hits after it", printed.stdout)
