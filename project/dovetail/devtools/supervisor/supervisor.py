"""Starts the processes of the stack in order, restarts them, and stops them.

Own code because no process manager on PyPI fits: honcho, circus and supervisord leave their
children running when they are killed, and none of them can start one process once another is
ready. (With Nix, process-compose does this.)
"""

import asyncio
import signal
import time
from pathlib import Path

from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.console import Console, Output
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Child, Program
from dovetail.devtools.supervisor.threads import in_thread

MAX_CRASHES = 3  # in a row, after which a process is not restarted
STABLE_AFTER = 20.0  # seconds a process must run for its earlier crashes not to count
PAUSE = 0.5  # seconds before the first restart; doubles with each crash
STOP_TIMEOUT = 1.8  # seconds a wave of processes has to stop; two waves fit in 5 s
KILL_TIMEOUT = 0.2  # seconds to wait after each of the stronger signals
READY_TIMEOUT = 90  # seconds; allows for the first start on a small machine


class Supervisor:
    """Starts programs in waves and stops the waves in reverse order.

    Attributes:
        failure: resolved with an error message when something ended that must not end.
    """

    def __init__(self, guard: Guard, console: Console, logs: Path) -> None:
        """Create a supervisor that runs nothing yet.

        Args:
            guard: stops everything if this process is killed.
            console: where output is written.
            logs: the folder of the log files.
        """
        self.guard = guard
        self.console = console
        self.logs = logs
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.stopping = asyncio.Event()
        self._waves: list[list[Keeper]] = []

    @property
    def is_busy(self) -> bool:
        """Whether any program has been started."""
        return bool(self._waves)

    async def start(self, *programs: Program) -> None:
        """Start a wave of programs concurrently and wait until all of them are ready.

        Raises:
            SetupError: a program crashed too often, or was not ready in time.
        """
        wave = [Keeper(self, program) for program in programs]
        self._waves.append(wave)
        await asyncio.gather(*(keeper.wait_until_ready() for keeper in wave))

    async def run(self, program: Program) -> tuple[int, Output]:
        """Run a program to completion and return its exit status and its output."""
        child = Child(program, self.output_of(program), self.guard)
        try:
            return await asyncio.shield(child.ended), child.output
        finally:
            if not child.ended.done():  # this coroutine was canceled
                child.send_to_all(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop everything, last wave first. Takes less than 5 seconds for two waves."""
        self.stopping.set()
        for wave in reversed(self._waves):
            for keeper in wave:
                keeper.send(keeper.program.stop_signal)
            await _all_ended(wave, STOP_TIMEOUT)
            for keeper in wave:
                keeper.send(keeper.program.last_signal)
            await _all_ended(wave, KILL_TIMEOUT)
            for keeper in wave:
                keeper.kill()
            await _all_ended(wave, KILL_TIMEOUT)

    def restart(self, name: str) -> None:
        """Restart a program, whether it is running or waiting for a restart."""
        for wave in self._waves:
            for keeper in wave:
                if keeper.program.name == name:
                    keeper.restart()

    def kill(self) -> None:
        """Kill everything immediately."""
        for wave in self._waves:
            for keeper in wave:
                keeper.kill()

    def fail(self, message: str) -> None:
        """Report a failure that must stop everything; only the first one counts."""
        if not self.failure.done():
            self.failure.set_result(message)

    def output_of(self, program: Program) -> Output:
        return Output(program.name, self.logs, self.console)


class Keeper:
    """Keeps one program running, restarting it after a crash."""

    def __init__(self, supervisor: Supervisor, program: Program) -> None:
        self.supervisor = supervisor
        self.program = program
        self.output = supervisor.output_of(program)
        self.child = Child(program, self.output, supervisor.guard)
        self.restarting = asyncio.Event()
        self.done = asyncio.create_task(self._keep())

    async def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while (reason := await self._why_not_ready()) is not None:
            if self.supervisor.failure.done():
                raise SetupError(self.supervisor.failure.result())
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{self.program.name} was not ready after {READY_TIMEOUT} seconds{reason}: see "
                    f"{self.output.path}."
                )
            await asyncio.sleep(0.05)

    async def _why_not_ready(self) -> str | None:
        """Return the reason in parentheses, "" if it is unknown, or None once it is ready."""
        try:
            return None if await in_thread(self.program.is_ready) else ""
        except NotReadyError as error:
            return f" ({error})"

    def restart(self) -> None:
        self.restarting.set()
        self.send(self.program.stop_signal)

    def send(self, number: signal.Signals) -> None:
        if not self.done.done():
            self.child.send(number)

    def kill(self) -> None:
        if not self.done.done():
            self.child.send_to_all(signal.SIGKILL)

    async def _keep(self) -> None:
        stopping = self.supervisor.stopping
        crashes = 0
        while True:
            started = time.monotonic()
            status = await self.child.ended
            if self.restarting.is_set():
                crashes = 0
            elif not stopping.is_set():
                self.output.note(f"exited unexpectedly ({describe(status)})")
                crashes = 1 if time.monotonic() - started > STABLE_AFTER else crashes + 1
                if not await self._may_start_again(crashes):
                    return
            if stopping.is_set():
                return
            self.restarting.clear()
            self.child = Child(self.program, self.output, self.supervisor.guard)

    async def _may_start_again(self, crashes: int) -> bool:
        """Wait after a crash and return whether the program may be restarted."""
        if crashes < MAX_CRASHES:
            await self._wait(PAUSE * 2 ** (crashes - 1))
            return True
        if self.program.waits_for_code:
            self.output.note("waiting for a code change before restarting")
            await self._wait(None)
            return True
        self.supervisor.fail(
            f"{self.program.name} exited {MAX_CRASHES} times in a row, so everything was stopped: "
            f"see {self.output.path}."
        )
        return False

    async def _wait(self, seconds: float | None) -> None:
        """Wait for a number of seconds, or until a stop or restart; `None` waits indefinitely."""
        events = (self.supervisor.stopping, self.restarting)
        waits = [asyncio.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def describe(status: int) -> str:
    """Return how a process ended: its exit status or the name of its signal."""
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


async def _all_ended(wave: list[Keeper], seconds: float) -> None:
    await asyncio.wait([keeper.done for keeper in wave], timeout=seconds)
