"""The program of the guard (`guard.py` says what for). It imports little, to stay small.

It reads lines from its standard input:

    start PID STOP LAST   a process group, and the signals that stop it and that end it for good
    end PID               that group has ended
    remove DIRECTORY      a folder to remove

and acts when the input ends, which is when nobody holds the other end of the pipe any more.
"""

import os
import signal
import sys
import time

PATIENCE = 1.8  # seconds between one signal and the next, stronger one
LAST_PATIENCE = 0.3  # seconds after the strongest


def watch() -> None:
    """Read to the end of the input, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, list[int]] = {}
    directories: list[str] = []
    for line in sys.stdin:
        verb, subject = line.rstrip("\n").split(" ", maxsplit=1)
        if verb == "start":
            group, *signals = map(int, subject.split(" "))
            groups[group] = signals
        elif verb == "end":
            groups.pop(int(subject), None)
        else:
            directories.append(subject)
    stop(groups)
    for directory in directories:
        remove(directory)


def stop(groups: dict[int, list[int]]) -> None:
    """Stop process groups: each with the signals that are given for it, and then by force."""
    for attempt in range(3):
        killed = set()
        for group, signals in groups.items():
            number = [*signals, signal.SIGKILL][attempt]
            _send(group, number)
            if number == signal.SIGKILL:
                killed.add(group)
        # One that was killed needs no patience: what is left of it is not run any more, and may
        # wait for long until process 1 collects it.
        _wait_for(groups.keys() - killed, PATIENCE)
        _wait_for(killed, LAST_PATIENCE)
        groups = {
            group: signals
            for group, signals in groups.items()
            if group not in killed and _send(group, 0)
        }


def remove(directory: str) -> None:
    import shutil  # noqa: PLC0415 - only in the rare case that there is something to remove

    for _ in range(20):  # a process that was killed may add a last file
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):  # noqa: PTH110 - pathlib is not loaded
            return
        time.sleep(0.05)


def _wait_for(groups: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_send(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.02)


def _send(group: int, number: int) -> bool:
    """Signal a process group (0 only looks) and tell whether it is there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    watch()
