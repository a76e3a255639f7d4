"""Runs the processes of the stack, in order, and lets none of them outlive it.

Own code, because no process manager that comes as a Python package does what is asked: honcho,
circus and supervisord leave their children running when they are killed, and none of them starts
one process when another is ready. (With Nix, process-compose has this task.)
"""

import asyncio
import signal
import time
from pathlib import Path

from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.console import Console, Output
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Child, Program
from dovetail.devtools.supervisor.threads import in_thread

CRASHES = 3  # in a row, after which it is no use to start a process again
CALM = 20.0  # seconds that a process runs before its earlier crashes are forgotten
PAUSE = 0.5  # seconds before the first restart; doubles with each crash
PATIENCE = 1.8  # seconds that a wave of processes has to stop; two waves fit in 5 s
LAST_PATIENCE = 0.2  # seconds for the signals after that
READY_TIMEOUT = 90  # seconds; the first start on a small machine


class Supervisor:
    """Starts programs in waves and stops the waves in reverse order.

    Attributes:
        failure: done, with a sentence, when something ends that must not.
    """

    def __init__(self, guard: Guard, console: Console, logs: Path) -> None:
        """Prepare; nothing runs yet.

        Args:
            guard: ends everything if this process is killed.
            console: where the output goes.
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
        """Whether there is anything to stop."""
        return bool(self._waves)

    async def start(self, *programs: Program) -> None:
        """Start programs side by side, and wait until all are ready.

        Raises:
            SetupError: one of them crashed too often, or is not ready in time.
        """
        wave = [Keeper(self, program) for program in programs]
        self._waves.append(wave)
        await asyncio.gather(*(keeper.wait_until_ready() for keeper in wave))

    async def run(self, program: Program) -> tuple[int, Output]:
        """Run a program to its end; return its status and where its output went."""
        child = Child(program, self.output_of(program), self.guard)
        try:
            return await asyncio.shield(child.ended), child.output
        finally:
            if not child.ended.done():  # this was cancelled
                child.send_to_all(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop everything, the last wave first. Takes less than 5 seconds."""
        self.stopping.set()
        for wave in reversed(self._waves):
            for keeper in wave:
                keeper.send(keeper.program.stop_signal)
            await _all_ended(wave, PATIENCE)
            for keeper in wave:
                keeper.send(keeper.program.last_signal)
            await _all_ended(wave, LAST_PATIENCE)
            for keeper in wave:
                keeper.kill()
            await _all_ended(wave, LAST_PATIENCE)

    def restart(self, name: str) -> None:
        """Stop a program that runs, or waits for this, and start it again."""
        for wave in self._waves:
            for keeper in wave:
                if keeper.program.name == name:
                    keeper.restart()

    def kill(self) -> None:
        """Stop everything at once, without regard."""
        for wave in self._waves:
            for keeper in wave:
                keeper.kill()

    def fail(self, sentence: str) -> None:
        """Report what makes it useless to go on."""
        if not self.failure.done():
            self.failure.set_result(sentence)

    def output_of(self, program: Program) -> Output:
        return Output(program.name, self.logs, self.console)


class Keeper:
    """Keeps one program running."""

    def __init__(self, supervisor: Supervisor, program: Program) -> None:
        self.supervisor = supervisor
        self.program = program
        self.output = supervisor.output_of(program)
        self.child = Child(program, self.output, supervisor.guard)
        self.restarting = asyncio.Event()
        self.done = asyncio.create_task(self._keep())

    async def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not await in_thread(self.program.is_ready):
            if self.supervisor.failure.done():
                raise SetupError(self.supervisor.failure.result())
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{self.program.name} is not ready after {READY_TIMEOUT} seconds: "
                    f"its log is {self.output.path}."
                )
            await asyncio.sleep(0.05)

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
                self.output.note(f"ended unexpectedly ({describe(status)})")
                crashes = 1 if time.monotonic() - started > CALM else crashes + 1
                if not await self._may_start_again(crashes):
                    return
            if stopping.is_set():
                return
            self.restarting.clear()
            self.child = Child(self.program, self.output, self.supervisor.guard)

    async def _may_start_again(self, crashes: int) -> bool:
        """Wait as long as is right after so many crashes in a row."""
        if crashes < CRASHES:
            await self._wait(PAUSE * 2 ** (crashes - 1))
            return True
        if self.program.waits_for_code:
            self.output.note("waits for a change of the code")
            await self._wait(None)
            return True
        self.supervisor.fail(
            f"{self.program.name} ended {CRASHES} times in a row, so everything was stopped: its "
            f"log is {self.output.path}."
        )
        return False

    async def _wait(self, seconds: float | None) -> None:
        """Wait for a time, or for being stopped or restarted."""
        events = (self.supervisor.stopping, self.restarting)
        waits = [asyncio.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def describe(status: int) -> str:
    """Name how a process ended."""
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


async def _all_ended(wave: list[Keeper], seconds: float) -> None:
    await asyncio.wait([keeper.done for keeper in wave], timeout=seconds)
