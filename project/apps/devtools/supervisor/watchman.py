"""The program of the guard (`guard.py` says what for). It imports little, to stay small.

It reads lines from its standard input:

    start PID SIGNAL   a process group to stop, and what ends it for good
    end PID            that group has ended
    remove DIRECTORY   a folder to remove

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
    groups: dict[int, int] = {}
    directories: list[str] = []
    for line in sys.stdin:
        verb, subject = line.rstrip("\n").split(" ", maxsplit=1)
        if verb == "start":
            group, last_signal = subject.split(" ")
            groups[int(group)] = int(last_signal)
        elif verb == "end":
            groups.pop(int(subject), None)
        else:
            directories.append(subject)
    stop(groups)
    for directory in directories:
        remove(directory)


def stop(groups: dict[int, int]) -> None:
    """Stop process groups: politely, then with the signal given for each, then by force."""
    for number in (signal.SIGINT, None, signal.SIGKILL):
        for group, last_signal in groups.items():
            _send(group, number or last_signal)
        deadline = time.monotonic() + PATIENCE
        while groups and time.monotonic() < deadline:
            time.sleep(0.02)
            groups = {group: last for group, last in groups.items() if _send(group, 0)}


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
