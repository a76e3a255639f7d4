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

PATIENCE = 2.0  # seconds between one signal and the next, stronger one


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
        for group, signals in groups.items():
            _send(group, [*signals, signal.SIGKILL][attempt])
        deadline = time.monotonic() + PATIENCE
        while groups and time.monotonic() < deadline:
            time.sleep(0.02)
            groups = {group: signals for group, signals in groups.items() if _send(group, 0)}


def remove(directory: str) -> None:
    import shutil  # noqa: PLC0415 - only in the rare case that there is something to remove

    shutil.rmtree(directory, ignore_errors=True)


def _send(group: int, number: int) -> bool:
    """Signal a process group (0 only looks) and tell whether it is there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    watch()
