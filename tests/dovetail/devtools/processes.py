"""Lists processes, from /proc or, on macOS, with `ps`."""

import contextlib
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

PATIENCE = 60  # seconds; a busy machine takes long to end processes


def descendants(pid: int) -> set[int]:
    """Return all descendants of a process."""
    parents = {child: parent for child, (parent, _) in _table().items()}
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def running(pids: Iterable[int]) -> set[int]:
    """Return the pids that are running, which zombies are not."""
    table = _table()
    return {pid for pid in pids if pid in table and not table[pid][1].startswith("Z")}


def wait_for_end(pids: Iterable[int]) -> set[int]:
    """Wait until none of the processes is running; return those that do not end."""
    deadline = time.monotonic() + PATIENCE
    while (left := running(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _table() -> dict[int, tuple[int, str]]:
    """Return the parent pid and the state of each process, by pid."""
    table = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has ended
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            table[int(path.parent.name)] = (int(parent), state)
    if not table:
        output = subprocess.check_output(["ps", "-axo", "pid=,ppid=,stat="], text=True)
        for line in output.splitlines():
            pid, parent, state = line.split()
            table[int(pid)] = (int(parent), state)
    return table
