"""Celery's programs as a deployment starts them: each line that they write is one of the log."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings

from dovetail.devtools.embedded.testing import throwaway_valkey
from dovetail.tasks.programs import Worker, say, write_to
from tests.cable.servers import wait_until
from tests.dovetail.telemetry.conftest import site_environment
from tests.dovetail.telemetry.receiver import receiver

__all__ = ["site_environment"]

TASKS = "tests.dovetail.telemetry.site.tasks"
WORKER = ("worker", "--concurrency", "1", "--without-mingle", "--without-gossip")
BEAT = ("beat", "--pidfile=")

pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.xdist_group("waits")]


@contextmanager
def running(log: Path, environment: dict[str, str], *arguments: str) -> Iterator[None]:
    """Run a program of Celery, and stop it as a deployment does."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config.celery", *arguments],
            cwd=settings.PROJECT_DIR,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_for(log: Path, text: str) -> None:
    wait_until(lambda: text.encode() in log.read_bytes(), text)


@contextmanager
def client(broker: str) -> Iterator[Celery]:
    """Return an app that sends tasks to another broker than that of the tests."""
    with Celery(set_as_current=False) as app:
        app.conf["broker_write_url"] = broker  # comes before what the environment says
        yield app


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_every_line_of_a_worker_is_json(site_environment: dict[str, str], tmp_path: Path) -> None:
    """Kind: a line that what collects the log cannot read, or that the filters have not seen."""
    log = tmp_path / "worker.log"
    with receiver() as collector, throwaway_valkey() as valkey:
        environment = site_environment | {
            "CELERY_BROKER_URL": f"{valkey}/0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        with running(log, environment, *WORKER, "--loglevel", "INFO"):
            wait_for(log, "ready.")
            with client(f"{valkey}/0") as app:
                failing = app.send_task(f"{TASKS}.fail", ["ada"], {"secret": "s"}, queue="default")
                app.send_task(f"{TASKS}.missing", queue="default")
                chatting = app.send_task(f"{TASKS}.chat", ["planted"], queue="default")
            wait_for(log, "chat[" + chatting.id + "] succeeded")
    lines = lines_of(log)

    (error,) = [line for line in lines if "LookupError" in line.get("exception", "")]
    assert error["level"] == "ERROR"
    assert error["task_id"] == failing.id
    assert error["task"] == f"{TASKS}.fail"
    assert len(error["trace_id"]) == 32
    said = {line["message"]: line for line in lines if line.get("task_id") == chatting.id}
    assert said["logged"]["logger"] == TASKS
    assert said["printed"]["logger"] == "celery.redirected"
    assert said["Not Found: /mail/unsubscribe/…"]["level"] == "WARNING"
    assert [line for line in lines if "warned" in line["message"]]
    assert [line for line in lines if "unregistered task" in line["message"]]
    assert [line for line in lines if "Warm shutdown" in line["message"]]
    assert not [line for line in lines if "data" in line]
    assert "planted" not in log.read_text()


def test_every_line_of_beat_is_json(site_environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "beat.log"
    schedule = f"--schedule={tmp_path / 'schedule'}"
    with (
        throwaway_valkey() as valkey,
        running(
            log,
            site_environment | {"CELERY_BROKER_URL": f"{valkey}/0"},
            *(*BEAT, schedule, "--loglevel", "INFO"),
        ),
    ):
        wait_for(log, "beat: Starting")

    assert [line for line in lines_of(log) if line["logger"] == "celery.beat"]


def test_command_chooses_the_level_and_the_file(
    site_environment: dict[str, str], tmp_path: Path
) -> None:
    output, log = tmp_path / "output.log", tmp_path / "worker.log"
    log.touch()
    with throwaway_valkey() as valkey:
        environment = site_environment | {"CELERY_BROKER_URL": f"{valkey}/0"}
        file = f"--logfile={log}"
        with running(output, environment, *WORKER, "--loglevel", "WARNING", file):
            with client(f"{valkey}/0") as app:
                app.send_task(f"{TASKS}.missing", queue="default")
            wait_for(log, "unregistered task")

    assert {line["level"] for line in lines_of(log)} <= {"WARNING", "ERROR"}
    assert "unregistered task" not in output.read_text()
    assert lines_of(output)  # of what comes before the command is understood, and of signals


def test_people_get_text_and_the_banner(site_environment: dict[str, str], tmp_path: Path) -> None:
    """As `up` starts a worker, with a beat in it."""
    log = tmp_path / "worker.log"
    with throwaway_valkey() as valkey:
        environment = site_environment | {
            "CELERY_BROKER_URL": f"{valkey}/0",
            "LOG_FORMAT": "line",
        }
        beat = ("--pool", "threads", "-B", "--schedule", str(tmp_path / "schedule"))
        with running(log, environment, *WORKER, *beat, "--loglevel", "INFO"):
            wait_for(log, "ready.")
            wait_for(log, "beat: Starting")

    assert "[config]" not in log.read_text().splitlines()[0]
    assert "[config]" in log.read_text()
    # What process-compose.yaml waits for.
    assert " ready.\n" in log.read_text()
    assert " INFO celery.apps.worker: " in log.read_text()
    assert " INFO celery.beat: beat: Starting" in log.read_text()


def test_signal_is_told_to_nobody_if_standard_error_was_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Kind: a line in the middle of what a connection sends that has got the number 2."""
    monkeypatch.setattr(sys, "__stderr__", None)
    with (tmp_path / "log").open("w") as connection:
        monkeypatch.setattr(sys, "stderr", connection)
        say("Warm shutdown")
        assert not connection.tell()
    with (tmp_path / "log").open("w+") as terminal:
        monkeypatch.setattr(sys, "__stderr__", terminal)
        say("Warm shutdown")
        assert "Warm shutdown" in (tmp_path / "log").read_text()
    say("Cold shutdown")  # it is closed by now


def test_each_process_has_its_own_file(tmp_path: Path) -> None:
    """As with `%i` in its name."""
    root = logging.Logger("root")  # noqa: LOG001 - not the real one, which pytest uses
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.ERROR)
    root.addHandler(handler)

    write_to(str(tmp_path / "parent"), root)
    root.error("parent")
    write_to(str(tmp_path / "child"), root)
    root.error("child")
    root.warning("below the handler's level")
    root.handlers[0].close()

    assert (tmp_path / "parent").read_text() == "parent\n"
    assert (tmp_path / "child").read_text() == "child\n"


@pytest.mark.parametrize("has_places", [True, False])
def test_message_that_the_pool_cannot_take_ends_no_worker(
    caplog: pytest.LogCaptureFixture, *, has_places: bool
) -> None:
    """Kind: an error in the event loop, and a place in the pool that is never free again."""
    released, refused = [], []

    class Malformed:
        name, id = "malformed", "1"

        def execute_using_pool(self, _: object) -> None:
            raise ValueError("too many values")

        def reject(self, *, requeue: bool) -> None:
            refused.append(requeue)

    worker: Any = object.__new__(Worker)
    worker.pool = None
    if has_places:
        worker._quick_release = lambda: released.append(True)  # noqa: SLF001 - Celery's

    worker._process_task(Malformed())  # noqa: SLF001 - as Celery calls it

    assert refused == [False]
    assert released == [True] * has_places
    assert "malformed[1] is refused" in caplog.text


def test_file_keeps_the_format_and_the_filters(tmp_path: Path) -> None:
    root = logging.Logger("root")  # noqa: LOG001 - not the real one, which pytest uses
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s!"))
    handler.addFilter(lambda record: record.msg != "hidden")
    root.addHandler(handler)

    write_to(str(tmp_path / "file"), root)
    root.error("shown")
    root.error("hidden")
    root.handlers[0].close()

    assert (tmp_path / "file").read_text() == "shown!\n"
