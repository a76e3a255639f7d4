"""The guard, with processes that are really killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from apps.devtools.supervisor.guard import Guard

# Starts a process that stops when asked, one that does not, and one with a child of its own.
PARENT = """
import subprocess, sys, time
from pathlib import Path
from apps.devtools.supervisor.guard import Guard
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


def groups_of(parent: int) -> dict[int, int]:
    """Return the processes that descend from one, with their groups."""
    output = subprocess.check_output(["ps", "-axo", "pid=,ppid=,pgid="], text=True)
    rows = [tuple(map(int, line.split())) for line in output.splitlines()]
    found: dict[int, int] = {}
    wanted = {parent}
    while wanted:
        new = {pid: group for pid, ppid, group in rows if ppid in wanted and pid not in found}
        found |= new
        wanted = set(new)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_parent_leaves_nothing(tmp_path: Path) -> None:
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
        left = set(groups_of(parent.pid))
        assert len(left) == 6  # the guard, three shells or what they became, two children of theirs
        parent.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while (left := {pid for pid in left if is_alive(pid)}) and time.monotonic() < began + 10:
        time.sleep(0.05)
    assert not left
    assert time.monotonic() - began < 5
    assert not folder.exists()


def test_a_program_that_is_run_returns_its_output_and_status(guard: Guard) -> None:
    done = guard.run(["sh", "-c", "echo out; echo err >&2; cat; exit 3"])
    assert done.stdout == "out\nerr\n"
    assert done.returncode == 3


def test_arguments_arrive_as_they_are(guard: Guard) -> None:
    arguments = ["a b", "$HOME", "'", '"', "*", ""]
    done = guard.run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *arguments])
    assert done.stdout == f"{arguments}\n"


def test_a_program_does_not_hold_the_pipe(guard: Guard) -> None:
    done = guard.run([sys.executable, "-c", "import os; print(os.fstat(0).st_rdev)"])
    assert done.stdout == f"{Path('/dev/null').stat().st_rdev}\n"


def test_closing_it_ends_what_is_registered() -> None:
    guard = Guard()
    child = subprocess.Popen(
        guard.wrapped(["sleep", "600"]), stdin=guard.pipe, start_new_session=True
    )
    guard.close(child)
    assert child.returncode == -signal.SIGTERM
    assert guard.process.returncode == 0
