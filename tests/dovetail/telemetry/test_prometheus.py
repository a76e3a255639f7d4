"""The files that processes share for the page of Prometheus."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from dovetail.devtools.embedded.testing import free_port
from tests.cable.servers import wait_until
from tests.config.test_settings import MORE
from tests.dovetail.telemetry.test_site import page

CODE = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
import django
from django.conf import settings
settings.METRICS_PORT = 9
django.setup()
from dovetail.telemetry import metrics, prometheus

(sink,) = metrics.sinks
metrics.GAUGES["websocket.connections"] = ("", lambda: {"": 5.0})
def work():
    for _ in range(3):
        sink.request("GET", "/", 200, 0.2)
    sink.measure()
work()
read, write = os.pipe()
if os.fork() == 0:
    work()
    os.write(write, b"done")
    os.read(read, 0)
    os._exit(0)
os.read(read, 4)
os.wait()
from prometheus_client import CollectorRegistry, generate_latest
metrics.SHARED_GAUGES.clear()
registry = CollectorRegistry()
registry.register(prometheus.Living())
print(generate_latest(registry).decode())
prometheus.remove_old()
print("files", len(list(prometheus.folder().glob("*.db"))))
"""

FAILING = """
import sys, tempfile, threading
tempfile.tempdir = sys.argv[1]
import django
from django.conf import settings
settings.METRICS_PORT = 9
django.setup()
from dovetail.telemetry import metrics, prometheus

prometheus.INTERVAL = 0.01
failures, later = [OSError("No space left"), RuntimeError("changed"), OSError("No space")], []
has_gone_on = threading.Event()
def measure():
    if failures:
        raise failures.pop()
    later.append(1)
    if len(later) == 2:
        has_gone_on.set()
    return {"": 5.0}
metrics.GAUGES["websocket.connections"] = ("", measure)
assert has_gone_on.wait(60), "the thread has ended"
print("goes on")
"""


def run(folder: Path, code: str = CODE) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=settings.PROJECT_DIR,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "PYTHONPATH": f"{settings.BASE_DIR}:{settings.PROJECT_DIR}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@MORE
def test_processes_are_added_up_and_those_that_ended_have_no_gauges(tmp_path: Path) -> None:
    done = run(tmp_path)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    count = "http_server_request_duration_seconds_count{"
    assert [line.split()[-1] for line in lines if line.startswith(count)] == ["6.0"]
    assert "websocket_connections 5.0" in lines, "not 10, with that of the child"
    assert lines[-1] != "files 0", "removed while a process uses them"


def test_gauges_are_measured_on_after_errors(tmp_path: Path) -> None:
    """Kind: gauges that keep the values from before one error until the process ends."""
    done = run(tmp_path, FAILING)

    assert done.stdout == "goes on\n", done.stderr
    assert done.stderr.count("The gauges cannot be measured now") == 1
    assert "OSError: No space" in done.stderr


@MORE
def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """Kind: a folder in /tmp that someone has created before, to read or forge what is measured."""
    name = f"{settings.PROJECT_NAME}-metrics-9-{os.getuid()}"
    (tmp_path / name).mkdir()
    (tmp_path / name).chmod(0o777)

    done = run(tmp_path)

    assert done.returncode != 0
    assert f"{tmp_path / name}, where METRICS_PORT keeps measurements, belongs" in done.stderr


@MORE
def test_link_to_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    name = f"{settings.PROJECT_NAME}-metrics-9-{os.getuid()}"
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")

    assert "remove it" in run(tmp_path).stderr


@MORE
def test_command_serves_the_page_once(site_environment: dict[str, str]) -> None:
    port = free_port()
    command = [sys.executable, "manage.py", "metrics"]
    environment = site_environment | {"METRICS_PORT": str(port)}
    with subprocess.Popen(command, cwd=settings.PROJECT_DIR, env=environment) as process:
        try:
            wait_until(lambda: page(port), "the page is served")
            second = subprocess.run(
                command,
                cwd=settings.PROJECT_DIR,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            process.terminate()

    assert second.returncode == 1
    assert second.stderr.startswith("error: The page cannot be served at METRICS_HOST")
    assert second.stderr.count("\n") == 1


def test_command_without_a_port_says_what_to_set() -> None:
    with pytest.raises(SystemExit, match="METRICS_PORT is not set"):
        call_command("metrics")
