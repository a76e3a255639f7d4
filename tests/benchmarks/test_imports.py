"""An import whose process is killed goes on to exactly the rows of its file."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
@pytest.mark.long("starts servers of its own")
def test_killed_import_resumes_to_all_rows() -> None:
    command = [sys.executable, "benchmarks/imports.py", "--rows", "8000"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    assert "| articles in the end | 8,000 |" in printed.stdout
    killed = re.search(r"killed after \| ([\d,]+) \|", printed.stdout)
    assert killed
    assert 0 < int(killed[1].replace(",", "")) < 8000
