"""The program that the guard runs; see `guard.py`. It imports little, to use little memory.

It reads lines from standard input:

    start PID STOP LAST   register a process group, with the signals that stop and end it
    end PID               unregister that group, which has ended
    remove DIRECTORY      register a folder to remove

and acts on what is registered when the input ends: the last writer has closed the pipe.
"""

import os
import signal
import sys
import time

STOP_TIMEOUT = 1.8  # seconds between one signal and the next, stronger one
KILL_TIMEOUT = 0.3  # seconds to wait after SIGKILL


def watch() -> None:
    """Read standard input to its end, then stop and remove what is registered."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, list[int]] = {}
    directories: list[str] = []
    for raw in sys.stdin.buffer:
        line = os.fsdecode(raw)  # a folder's name need not be text in this locale
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
    """Stop process groups: send each its own signals, then SIGKILL."""
    for attempt in range(3):
        killed = set()
        for group, signals in groups.items():
            number = [*signals, signal.SIGKILL][attempt]
            _send(group, number)
            if number == signal.SIGKILL:
                killed.add(group)
        # Killed groups get the short timeout: only zombies can remain of them, which process 1 may
        # take long to reap.
        _wait_for(groups.keys() - killed, STOP_TIMEOUT)
        _wait_for(killed, KILL_TIMEOUT)
        groups = {
            group: signals
            for group, signals in groups.items()
            if group not in killed and _send(group, 0)
        }


def remove(directory: str) -> None:
    import shutil  # noqa: PLC0415 - rarely needed

    for _ in range(20):  # a process being killed may still create a file
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):  # noqa: PTH110 - avoids importing pathlib
            return
        time.sleep(0.05)


def _wait_for(groups: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_send(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.02)


def _send(group: int, number: int) -> bool:
    """Send a signal to a process group (0 sends none) and return whether the group exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    watch()
