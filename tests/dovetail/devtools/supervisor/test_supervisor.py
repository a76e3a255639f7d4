"""Tests for the supervisor, with small real processes."""

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor import supervisor as supervisors
from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Program
from dovetail.devtools.supervisor.supervisor import Supervisor
from dovetail.devtools.supervisor.threads import in_thread
from tests.dovetail.devtools.processes import running


@pytest.fixture
async def supervisor(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(supervisors, "PAUSE", 0.05)
    supervisor = Supervisor(guard, Console(io.StringIO()), tmp_path)
    yield supervisor
    await supervisor.stop()


def shell(
    script: str, directory: Path, *, name: str = "toy", waits_for_code: bool = False
) -> Program:
    return Program(
        name=name,
        command=["/bin/sh", "-c", script],
        cwd=directory,
        environment=dict(os.environ),
        is_ready=(directory / f"{name}.ready").exists,
        waits_for_code=waits_for_code,
    )


def printed(supervisor: Supervisor) -> str:
    stream = supervisor.console.stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def pids_in(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the condition depends on other processes
            await asyncio.sleep(0.02)


async def test_start_waits_until_all_are_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    first = shell("sleep 0.2; touch one.ready; echo up; exec sleep 600", tmp_path, name="one")
    second = shell("touch two.ready; exec sleep 600", tmp_path, name="two")
    await supervisor.start(first, second)
    assert (tmp_path / "one.ready").exists()
    await until(lambda: "     one | up" in printed(supervisor))
    assert (tmp_path / "one.log").read_text() == "up\n"


async def test_crashed_program_is_restarted(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "echo x >> starts; [ $(wc -l < starts) -gt 2 ] || exit 7; touch toy.ready; sleep 600"
    await supervisor.start(shell(script, tmp_path))
    assert printed(supervisor).count("exited unexpectedly (status 7)") == 2
    assert not supervisor.failure.done()


async def test_three_crashes_in_a_row_are_a_failure(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"toy exited 3 times in a row.*see .*toy\.log"):
        await supervisor.start(shell("echo x >> starts; kill -9 $$", tmp_path))
    assert (tmp_path / "starts").read_text() == "x\n" * 3
    assert "exited unexpectedly (SIGKILL)" in printed(supervisor)
    assert "toy exited 3 times" in await supervisor.failure


async def test_crashes_before_a_stable_run_do_not_count(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "STABLE_AFTER", 0.0)
    script = "echo x >> starts; touch toy.ready; [ $(wc -l < starts) -gt 5 ] || exit 1; sleep 600"
    await supervisor.start(shell(script, tmp_path))
    await until(lambda: (tmp_path / "starts").read_text() == "x\n" * 6)
    assert not supervisor.failure.done()


async def test_crashing_program_can_wait_for_a_code_change(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "touch toy.ready; [ -e fixed ] || exit 1; touch works; sleep 600"
    await supervisor.start(shell(script, tmp_path, waits_for_code=True))
    await until(lambda: "waiting for a code change" in printed(supervisor))
    (tmp_path / "fixed").touch()
    supervisor.restart("toy")
    await until((tmp_path / "works").exists)
    assert not supervisor.failure.done()


async def test_restart_does_not_count_as_a_crash(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start(shell("echo $$ >> pids; touch toy.ready; exec sleep 600", tmp_path))
    for number in range(2, 6):
        supervisor.restart("toy")
        await until(lambda: len(pids_in(tmp_path / "pids")) == number)  # noqa: B023 - called in the same iteration
    assert "unexpectedly" not in printed(supervisor)


async def test_waves_stop_in_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("one", "two"):
        script = (
            f"trap 'sleep 0.2; echo {name} >> stopped; exit' TERM; touch {name}.ready;"
            " while :; do sleep 0.05; done"
        )
        await supervisor.start(shell(script, tmp_path, name=name))
    await supervisor.stop()
    assert (tmp_path / "stopped").read_text() == "two\none\n"


@pytest.mark.xdist_group("waits")
async def test_program_that_ignores_sigterm_is_killed_with_its_children(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "trap '' TERM; echo $$ > pids; sleep 600 & echo $! >> pids; touch {0}.ready; wait"
    for name in ("one", "two"):
        directory = tmp_path / name
        directory.mkdir()
        await supervisor.start(shell(script.format(name), directory, name=name))
    pids = [pid for name in ("one", "two") for pid in pids_in(tmp_path / name / "pids")]
    began = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - began < 5
    await until(lambda: not running(pids))


async def test_children_of_a_crashed_program_are_killed(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "sleep 600 & echo $! >> pids; touch toy.ready; exit 1"
    await supervisor.start(shell(script, tmp_path, waits_for_code=True))
    await until(lambda: "waiting for a code change" in printed(supervisor))
    pids = pids_in(tmp_path / "pids")
    assert len(pids) == 3
    await until(lambda: not running(pids))


async def test_stop_interrupts_the_pause_before_a_restart(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "PAUSE", 600)
    await supervisor.start(shell("touch toy.ready; exit 1", tmp_path))
    await until(lambda: "exited unexpectedly" in printed(supervisor))
    async with asyncio.timeout(5):
        await supervisor.stop()


async def test_program_that_is_not_ready_in_time_is_reported(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "READY_TIMEOUT", 0.2)
    with pytest.raises(SetupError, match=r"toy was not ready after 0.2 seconds"):
        await supervisor.start(shell("sleep 600", tmp_path))


async def test_run_returns_status_and_output(supervisor: Supervisor, tmp_path: Path) -> None:
    status, output = await supervisor.run(shell("echo hello; exit 4", tmp_path))
    assert status == 4
    assert list(output.tail) == ["hello"]


async def test_canceled_run_kills_the_program(supervisor: Supervisor, tmp_path: Path) -> None:
    program = shell("echo $$ > pid; sleep 600 & echo $! >> pid; touch toy.ready; wait", tmp_path)
    run = asyncio.create_task(supervisor.run(program))
    await until(program.is_ready)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    pids = pids_in(tmp_path / "pid")
    await until(lambda: not running(pids))


async def test_large_output_is_logged_completely(supervisor: Supervisor, tmp_path: Path) -> None:
    program = Program(
        name="loud",
        command=[
            sys.executable,
            "-c",
            "print('x' * 70 + '\\n', end='' ) or print('y\\n' * 200000)",
        ],
        cwd=tmp_path,
        environment=dict(os.environ),
    )
    status, _ = await supervisor.run(program)
    assert status == 0
    assert (tmp_path / "loud.log").read_text().count("y") == 200_000


async def test_describe_names_the_signal(supervisor: Supervisor, tmp_path: Path) -> None:
    status, _ = await supervisor.run(shell("kill -TERM $$", tmp_path))
    assert supervisors.describe(status) == signal.SIGTERM.name


async def test_error_in_a_thread_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_thread(fail)
    assert await in_thread(lambda: 5) == 5


async def test_probe_that_cannot_succeed_ends_the_start_at_once(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """The kind: a readiness probe that swallows the error it gets."""

    def probe() -> bool:
        raise SetupError("The password is wrong: change it.")

    program = replace(shell("exec sleep 600", tmp_path), is_ready=probe)
    with pytest.raises(SetupError, match=r"^The password is wrong: change it\.$"):
        await supervisor.start(program)


async def test_start_that_takes_too_long_is_reported_with_the_last_reason(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "READY_TIMEOUT", 0)

    def probe() -> bool:
        raise NotReadyError("port 8000: Connection refused")

    program = replace(shell("exec sleep 600", tmp_path), is_ready=probe)
    with pytest.raises(SetupError, match=r"not ready after 0 seconds \(port 8000: Connection ref"):
        await supervisor.start(program)
