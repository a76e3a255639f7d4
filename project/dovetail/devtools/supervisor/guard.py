"""Ends what a killed process left behind.

`kill -9` gives a process no chance to stop its children, and there is no option of the operating
system for it that works on both Linux and macOS. So a second, tiny process holds the reading end of
a pipe of which only the first has the writing end: when the pipe closes, the first is gone, however
it went, and the guard stops every process group that is still registered.

Nothing slips through between its start and its registration: a program is started through a shell
that writes its own id into the pipe and then becomes the program, and the pipe cannot close before
that shell has written.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from dovetail.devtools.supervisor import watchman

REGISTER = 'echo "start $$ $1 $2" >&0; shift 2; exec "$@" </dev/null'


class Switch(TypedDict, total=False):
    """The arguments of `Popen` that start a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


class Guard:
    """The guard of this process; it ends when it is closed, or when this process does."""

    def __init__(self, *, keep_open: Sequence[int] = ()) -> None:
        """Start it.

        Args:
            keep_open: file descriptors (of locks) that the guard holds as long as it lives.
        """
        reading, self.pipe = os.pipe()
        self.process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", watchman.__file__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=tuple(keep_open),
            start_new_session=True,
            cwd="/",
        )
        os.close(reading)

    def wrapped(
        self,
        command: Sequence[str],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        last_signal: signal.Signals = signal.SIGKILL,
    ) -> list[str]:
        """Return a command that registers itself.

        It must be started with `stdin=guard.pipe` and `start_new_session=True`.

        Args:
            command: the program and its arguments.
            stop_signal: what asks it to stop.
            last_signal: what ends it for good: SIGQUIT for PostgreSQL, whose children may outlive
                a SIGKILL of their parent for a while.
        """
        signals = [str(stop_signal.value), str(last_signal.value)]
        return ["/bin/sh", "-c", REGISTER, "sh", *signals, *command]

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        umask: int = -1,
        **switch: Unpack[Switch],
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return its output, both streams as `stdout`.

        Args:
            command: the program and its arguments.
            cwd: its working directory; by default ours.
            environment: its environment; by default ours.
            umask: the mode bits that its files lack; by default ours.
            switch: the user to run as; by default ours.
        """
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            self.wrapped(command),
            stdin=self.pipe,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            cwd=cwd,
            env=environment,
            umask=umask,
            **switch,
        )
        output, _ = process.communicate()
        self.forget(process.pid)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def forget(self, pid: int) -> None:
        """Take a program that has ended, with all of its group, off the list."""
        self._tell(f"end {pid}")

    def remove_at_end(self, directory: Path) -> None:
        """Have a temporary folder removed if this process should not come to it."""
        self._tell(f"remove {directory}")

    def close(self, *children: subprocess.Popen[Any]) -> None:
        """End the guard; what is still registered is stopped and removed.

        Args:
            children: processes of ours that this ends, to collect.
        """
        os.close(self.pipe)
        for child in children:
            child.wait()
        self.process.wait()

    def _tell(self, line: str) -> None:
        # Whoever supervises processes also waits for the guard, and so learns that it is gone.
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe, f"{line}\n".encode())
