"""The benchmark of images runs, and its claims hold."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
@pytest.mark.long("starts servers of its own, and compares sizes and speeds")
def test_variants_save_bytes_and_are_made_from_one_original() -> None:
    command = [sys.executable, "benchmarks/media.py", "--rounds", "40", "--images", "1"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    rows = re.findall(r"^\| (.+?) \|.* \| ([\d.]+) \|$", printed.stdout, re.MULTILINE)
    ratios = {name: float(ratio) for name, ratio in rows}
    assert ratios["AVIF, quality 60, speed 6"] < 1
    assert ratios["the task"] < 1
    assert ratios["card, AVIF: phone or screen with twice the pixels"] < 0.5
    assert ratios["/articles/"] < 1.5  # on a machine that does other things meanwhile
