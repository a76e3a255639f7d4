"""Stops the processes that a killed process left behind.

`kill -9` gives a process no chance to stop its children, and no operating system feature for that
works on both Linux and macOS. So a second, tiny process, the guard, holds the read end of a pipe
whose write end only the first process has. When the pipe closes, the first process is gone, for
whatever reason, and the guard stops every process group that is still registered.

A program cannot start unregistered: it is started through a shell that writes its own pid to the
pipe and then becomes the program, and the pipe cannot close before that shell has written to it.
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
    """The guard of this process. It runs until it is closed or this process ends."""

    def __init__(self, *, keep_open: Sequence[int] = ()) -> None:
        """Start the guard.

        Args:
            keep_open: file descriptors of locks to hold for as long as the guard runs.
        """
        reading, self.pipe = os.pipe()
        self.process = subprocess.Popen(  # noqa: S603 - trusted arguments
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
        """Return a command that registers itself with the guard.

        Start it with `stdin=guard.pipe` and `start_new_session=True`.

        Args:
            command: the program and its arguments.
            stop_signal: the signal that asks it to stop.
            last_signal: the signal that ends it if it does not: SIGQUIT for PostgreSQL, whose
                children may outlive a SIGKILL of their parent for a while.
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
        """Run a program to completion and return its output, with stderr merged into `stdout`.

        Args:
            command: the program and its arguments.
            cwd: its working directory; by default the current one.
            environment: its environment; by default this process's.
            umask: its umask; by default this process's.
            switch: the user to run it as; by default the current one.
        """
        process = subprocess.Popen(  # noqa: S603 - trusted arguments
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
        """Unregister a program whose whole process group has ended."""
        self._tell(f"end {pid}")

    def remove_at_end(self, directory: Path) -> None:
        """Register a temporary folder to remove when the guard ends."""
        self._tell(f"remove {directory}")

    def close(self, *children: subprocess.Popen[Any]) -> None:
        """End the guard, which stops all registered programs and removes registered folders.

        Args:
            children: the child processes that this stops, to wait for.
        """
        os.close(self.pipe)
        for child in children:
            child.wait()
        self.process.wait()

    def _tell(self, line: str) -> None:
        # The supervisor polls the guard, and so notices when it is gone.
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe, os.fsencode(line) + b"\n")
