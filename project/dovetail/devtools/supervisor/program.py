"""One process: how it is started, listened to and ended."""

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

DRAIN = 1.0  # seconds to read what a process that has ended left in its pipe


@dataclass(frozen=True)
class Program:
    """What to run.

    Attributes:
        name: names it in the terminal, in messages and its log file.
        command: the program and its arguments.
        cwd: its working directory.
        environment: its whole environment.
        is_ready: asked (in a thread) until it says yes.
        stop_signal: asks it to stop.
        last_signal: ends it if it does not.
        switch: the user to run as; by default ours.
        waits_for_code: whether it may be broken for a while, because somebody works on its code:
            when it ends too often, it waits to be restarted and nothing else is stopped.
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
    """A process that runs a program, leading a session and group of its own."""

    def __init__(self, program: Program, output: Output, guard: Guard) -> None:
        """Start it.

        Args:
            program: what to run.
            output: takes what it writes.
            guard: ends it if this process is killed.
        """
        self.output = output
        self.guard = guard
        self.process = subprocess.Popen(  # noqa: S603 - our own arguments
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
        """Signal the process itself."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def send_to_all(self, number: signal.Signals) -> None:
        """Signal the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    async def _wait(self) -> int:
        status = await in_thread(self.process.wait)
        self.send_to_all(signal.SIGKILL)  # whatever it has left behind
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.drained.wait(), DRAIN)
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
