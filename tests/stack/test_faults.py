"""No task is lost while its worker and RabbitMQ are killed: a small run of the benchmark."""

import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT


@pytest.mark.skipif(not shutil.which("rabbitmq-server"), reason="needs the Nix environment")
def test_killed_workers_and_brokers_lose_no_task() -> None:
    command = [sys.executable, "benchmarks/faults.py", "--tasks", "400", "--kills", "2"]
    ran = subprocess.run(
        [*command, "--restarts", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| lost | 0 |" in ran.stdout
    assert "| tasks | 400 |" in ran.stdout
