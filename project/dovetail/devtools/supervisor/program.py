"""A program to run, and the process that runs it."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.devtools.supervisor.console import Output
from dovetail.devtools.supervisor.guard import Guard, Switch
from dovetail.devtools.supervisor.threads import in_thread

DRAIN_TIMEOUT = 1.0  # seconds to read the remaining output of a process that has ended


@dataclass(frozen=True)
class Program:
    """A program to run.

    Attributes:
        name: its name in the terminal, in messages and of its log file.
        command: the program and its arguments.
        cwd: its working directory.
        environment: its complete environment.
        is_ready: called in a thread until it returns true. It may raise `NotReadyError` with the
            reason, which is shown if it never gets ready, or `SetupError` to give up at once.
        stop_signal: the signal that asks it to stop.
        last_signal: the signal that ends it if it does not.
        switch: the user to run it as; by default the current one.
        waits_for_code: whether repeated crashes are expected while its code is being edited:
            instead of stopping the whole stack, it then waits for a restart.
    """

    name: str
    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = lambda: True
    stop_signal: signal.Signals = signal.SIGTERM
    last_signal: signal.Signals = signal.SIGKILL
    switch: Switch = field(default_factory=Switch)
    waits_for_code: bool = False


class Child:
    """A process that runs a program in a new session and process group."""

    def __init__(self, program: Program, output: Output, guard: Guard) -> None:
        """Start the process.

        Args:
            program: the program to run.
            output: receives what the process writes.
            guard: stops the process if this process is killed.
        """
        self.output = output
        self.guard = guard
        self.process = subprocess.Popen(  # noqa: S603 - trusted arguments
            guard.wrapped(
                program.command,
                stop_signal=program.stop_signal,
                last_signal=program.last_signal,
            ),
            stdin=guard.pipe,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=program.cwd,
            env=program.environment,
            **program.switch,
        )
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        self.pipe = self.process.stdout
        self.drained = asyncio.Event()
        os.set_blocking(self.pipe.fileno(), False)
        asyncio.get_running_loop().add_reader(self.pipe.fileno(), self._read)
        self.ended = asyncio.create_task(self._wait())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def send_to_all(self, number: signal.Signals) -> None:
        """Send a signal to the process group: the process and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    async def _wait(self) -> int:
        try:
            status = await in_thread(self.process.wait)
            self.send_to_all(signal.SIGKILL)  # anything it left behind
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.drained.wait(), DRAIN_TIMEOUT)
        finally:  # also if the event loop ends first
            asyncio.get_running_loop().remove_reader(self.pipe.fileno())
            self.pipe.close()
        self.guard.forget(self.process.pid)
        return status

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := os.read(self.pipe.fileno(), 65_536):
                self.output.feed(data)
            else:
                asyncio.get_running_loop().remove_reader(self.pipe.fileno())
                self.drained.set()
