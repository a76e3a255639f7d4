"""Tests for the guard, with real processes that are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from dovetail.devtools.supervisor.guard import Guard
from tests.dovetail.devtools.processes import descendants, wait_for_end

# Starts a process that stops when asked, one that does not, and one with a child.
PARENT = """
import subprocess, sys, time
from pathlib import Path
from dovetail.devtools.supervisor.guard import Guard
guard = Guard()
scripts = ["exec sleep 600", "trap '' TERM INT; sleep 600 & wait; sleep 600", "sleep 600 & wait"]
for script in scripts:
    subprocess.Popen(
        guard.wrapped(["/bin/sh", "-c", script]), stdin=guard.pipe, start_new_session=True
    )
ended = subprocess.Popen(guard.wrapped(["true"]), stdin=guard.pipe, start_new_session=True)
ended.wait()
guard.forget(ended.pid)
guard.remove_at_end(Path(sys.argv[1]))
time.sleep(0.5)
print("started", flush=True)
time.sleep(600)
"""


def test_killed_parent_leaves_no_processes_or_folders(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    (folder / "inside").mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, folder],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(settings.PROJECT_DIR)},
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "started\n"
        started = descendants(parent.pid)
        assert len(started) == 6  # the guard, three programs, and two children of theirs
        parent.send_signal(signal.SIGKILL)
    assert not wait_for_end(started)
    assert not folder.exists()


def test_run_returns_output_and_status(guard: Guard) -> None:
    done = guard.run(["sh", "-c", "echo out; echo err >&2; cat; exit 3"])
    assert done.stdout == "out\nerr\n"
    assert done.returncode == 3


def test_arguments_are_passed_unchanged(guard: Guard) -> None:
    arguments = ["a b", "$HOME", "'", '"', "*", ""]
    done = guard.run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *arguments])
    assert done.stdout == f"{arguments}\n"


def test_program_does_not_inherit_the_pipe(guard: Guard) -> None:
    done = guard.run([sys.executable, "-c", "import os; print(os.fstat(0).st_rdev)"])
    assert done.stdout == f"{Path('/dev/null').stat().st_rdev}\n"


def test_close_stops_registered_programs() -> None:
    guard = Guard()
    child = subprocess.Popen(
        guard.wrapped(["sleep", "600"]), stdin=guard.pipe, start_new_session=True
    )
    guard.close(child)
    assert child.returncode == -signal.SIGTERM
    assert guard.process.returncode == 0
