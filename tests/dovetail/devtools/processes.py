"""Which processes there are: from /proc, or from `ps` where there is none (macOS)."""

import contextlib
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Return the processes that a process has started, and those that these have, and so on."""
    parents = {child: parent for child, (parent, _) in _table().items()}
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def running(pids: Iterable[int]) -> set[int]:
    """Return those that run. One that only waits to be collected by its parent does not."""
    table = _table()
    return {pid for pid in pids if pid in table and not table[pid][1].startswith("Z")}


def wait_for_end(pids: Iterable[int], seconds: float) -> set[int]:
    """Wait until none of them runs; return what still does after so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := running(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _table() -> dict[int, tuple[int, str]]:
    """Return the parent and the state of each process."""
    table = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone meanwhile
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            table[int(path.parent.name)] = (int(parent), state)
    if not table:
        output = subprocess.check_output(["ps", "-axo", "pid=,ppid=,stat="], text=True)
        for line in output.splitlines():
            pid, parent, state = line.split()
            table[int(pid)] = (int(parent), state)
    return table
