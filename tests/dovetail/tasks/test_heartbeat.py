"""The heartbeat of Celery's programs, as the image's `health` role sees it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import LazySettings, settings

from dovetail.devtools.embedded.testing import throwaway_valkey
from dovetail.tasks import heartbeat
from tests.cable.servers import wait_until
from tests.dovetail.telemetry.conftest import site_environment

__all__ = ["site_environment"]

pytestmark = pytest.mark.xdist_group("waits")

ENTRYPOINT = settings.BASE_DIR / "nix" / "entrypoint.py"
HANGS = 121  # seconds
LOST = re.compile(r"[Cc]annot connect to|the broker is unavailable")


@pytest.fixture
def path(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(heartbeat, "_last", -float(heartbeat.INTERVAL))
    path = tmp_path / "heartbeat"
    settings.HEARTBEAT_PATH = str(path)
    return path


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a role of the image."""
    if arguments == ("beat",):
        arguments = ("beat", f"--schedule={environment['SITE_FOLDER']}/schedule")
    with Path(environment["SITE_FOLDER"], "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, ENTRYPOINT, *arguments],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with the pool's processes
        process.wait(60)


def health(role: str, path: Path, age: float = 0) -> str:
    """Return what the probe says, as if the last heartbeat had been so many seconds earlier."""
    if age:
        path.write_text(f"{float(path.read_text()) - age}\n")
    done = subprocess.run(
        [sys.executable, ENTRYPOINT, "health", role],
        env=os.environ | {"HEARTBEAT_PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == bool(done.stderr), done
    return done.stderr


def wait_for_beat(path: Path) -> None:
    before = path.read_text() if path.exists() else ""
    wait_until(lambda: path.exists() and path.read_text() != before, "a beat")


def test_beat_is_written_at_intervals(path: Path) -> None:
    heartbeat.beat()
    first = path.read_text()
    heartbeat.beat()

    assert path.read_text() == first
    assert time.monotonic() - float(first) < HANGS
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.usefixtures("path")
def test_nothing_is_written_without_the_setting(settings: LazySettings, tmp_path: Path) -> None:
    settings.HEARTBEAT_PATH = ""
    heartbeat.beat()

    assert not list(tmp_path.iterdir())


def test_full_disk_ends_no_worker(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    heartbeat.beat()

    assert "HEARTBEAT_PATH cannot be written" in caplog.text


@pytest.mark.parametrize("role", ["worker", "beat"])
@pytest.mark.parametrize(
    ("age", "problem"),
    [
        (None, "has not started: there is no"),
        ("", "cannot be read: could not convert"),
        (-60, "is from before the machine was started"),
        (HANGS, "hangs: its last heartbeat was"),
    ],
)
def test_health_says_what_is_wrong(
    tmp_path: Path, role: str, age: float | str | None, problem: str
) -> None:
    path = tmp_path / "heartbeat"
    if age is not None:
        path.write_text("" if age == "" else f"{time.monotonic() - float(age)}\n")

    said = health(role, path)

    assert said.startswith("error: ")
    assert problem in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["worker", "--concurrency=1"], ["beat"]])
def test_role_that_is_stopped_hangs(
    site_environment: dict[str, str],
    transactional_db: None,  # noqa: ARG001
    tmp_path: Path,
    arguments: list[str],
) -> None:
    path, role = tmp_path / "heartbeat", arguments[0]
    with throwaway_valkey() as valkey:
        environment = site_environment | {
            "CELERY_BROKER_URL": f"{valkey}/0",
            "HEARTBEAT_PATH": str(path),
        }
        with running(environment, *arguments) as process:
            wait_for_beat(path)
            wait_for_beat(path)
            assert not health(role, path)

            process.send_signal(signal.SIGSTOP)
            assert "hangs" in health(role, path, age=HANGS)

            process.send_signal(signal.SIGCONT)
            wait_for_beat(path)
            assert not health(role, path)


@pytest.mark.long("waits until a minute begins, in which tasks are due")
@pytest.mark.parametrize("had_broker", [True, False])
@pytest.mark.parametrize("arguments", [["worker", "--concurrency=1"], ["beat"]])
def test_role_that_waits_for_its_broker_lives(
    site_environment: dict[str, str],
    transactional_db: None,  # noqa: ARG001
    tmp_path: Path,
    arguments: list[str],
    *,
    had_broker: bool,
) -> None:
    """Kind: workers that are restarted for ever, with the tasks that run, while it is away."""
    path, role = tmp_path / "heartbeat", arguments[0]
    log = Path(site_environment["SITE_FOLDER"], "log")
    with ExitStack() as broker:
        environment = site_environment | {
            "CELERY_BROKER_URL": f"{broker.enter_context(throwaway_valkey())}/0",
            "HEARTBEAT_PATH": str(path),
        }
        if not had_broker:
            broker.close()
        with running(environment, *arguments):
            wait_for_beat(path)
            broker.close()
            wait_until(lambda: LOST.search(log.read_text()), "a lost connection", 150)
            for _ in range(3):
                path.write_text("0\n")
                wait_until(lambda: path.read_text() != "0\n", "a beat")
            assert not health(role, path)
