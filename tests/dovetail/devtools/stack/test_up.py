"""Tests for `manage.py up`, started the way a developer starts it."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg
import pytest
import redis
from django.conf import settings

from dovetail.devtools.embedded.testing import (
    embedded_valkey,
    free_ports,
    throwaway_data_dir,
    throwaway_postgres,
    throwaway_valkey,
)
from dovetail.devtools.stack.ports import answers
from tests.dovetail.devtools.processes import descendants, running, wait_for_end

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

START_TIMEOUT = 240  # seconds; allows for a busy machine that also builds the front end
REMOVED = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "SITE_URL")
MANAGE = [sys.executable, "project/manage.py"]
MORE = pytest.mark.long("starts `up` once more")


class Up:
    """A running `up` with a separate `DATA_DIR`."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        port: int | None = None,
        command: list[str] = MANAGE,
    ) -> None:
        self.port = port or free_ports(4)
        self.data_dir = data_dir
        self.log = data_dir / f"terminal-{secrets.token_hex(4)}"
        inherited = {name: value for name, value in os.environ.items() if name not in REMOVED}
        self.environment = inherited | {
            "DATA_DIR": str(data_dir),
            "ENV_FILE": os.devnull,
            **(environment or {}),
        }
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [*command, "up", "--port", str(self.port), *arguments],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> set[int]:
        """Wait until everything is up and return the pids of the started processes."""
        deadline = time.monotonic() + START_TIMEOUT
        while f"{settings.SITE_NAME} is ready" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return descendants(self.process.pid)

    def get(self, path: str, port: int | None = None) -> str:
        with urlopen(f"http://localhost:{port or self.port}{path}", timeout=60) as response:
            text: str = response.read().decode()
            return text

    def shell(self, code: str) -> str:
        """Run Python as in another terminal and return what it prints."""
        code = f"from apps.users.models import User; {code}"
        return subprocess.check_output(
            [*MANAGE, "shell", "--no-imports", "-c", code],
            cwd=settings.BASE_DIR,
            env=self.environment,
            text=True,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


StartUp = Callable[..., Up]


@pytest.fixture
def start(data_dir: Path) -> Iterator[StartUp]:
    """Return a function that starts an `up`, which is stopped after the test."""
    started: list[Up] = []

    def start(*arguments: str, **options: object) -> Up:
        where = options.pop("data_dir", data_dir)
        up = Up(where, *arguments, **options)  # type: ignore[arg-type]
        started.append(up)
        return up

    yield start
    for up in started:
        if up.process.poll() is None:
            up.stop()


def error_of(up: Up) -> str:
    """Wait for an `up` to exit with a one-sentence error and return it."""
    assert up.process.wait(START_TIMEOUT) == 1
    error = up.output.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert "Traceback" not in up.output
    return error


@pytest.mark.long("starts a stack")
def test_up_serves_pages_and_stops_quickly(start: StartUp, data_dir: Path) -> None:
    up = start()
    pids = up.wait_until_ready()

    home = up.get("/")
    assert "/articles/" in home
    assert f"localhost:{up.port + 1}/static/src/js/application.ts" in home
    assert "WebSocket" in up.get("/static/@vite/client", up.port + 1)
    assert "No email yet" in up.get("/dev/mailbox/")
    for fact in (f"http://localhost:{up.port}", "reader@example.com", "PostgreSQL", "fakeredis"):
        assert fact in up.output

    # Commands in another terminal find the same services through up.json.
    assert (data_dir / "up.json").stat().st_mode & 0o777 == 0o600
    assert up.shell("print(User.objects.filter(articles__isnull=False).count())") == "200\n"

    # Other users of the machine reach the ports, and cannot read the passwords.
    postgres, valkey = up.port + 2, up.port + 3
    with redis.Redis(port=valkey) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(f"postgres://dovetail@127.0.0.1:{postgres}/dovetail")
    arguments = subprocess.check_output(["ps", "-A", "-ww", "-o", "args="], text=True)
    given = json.loads((data_dir / "up.json").read_text())["environment"]
    for name in ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL"):
        password = urlsplit(given[name]).password
        assert password
        assert password not in arguments

    again = error_of(start())
    assert f"already running here (process {up.process.pid})" in again
    assert f"http://localhost:{up.port}" in again

    logs = {path.name for path in (data_dir / "log").glob("*.log")}
    assert {"postgres.log", "valkey.log", "web.log", "worker.log", "vite.log"} <= logs

    began = time.monotonic()
    assert up.stop() == 0
    assert time.monotonic() - began < 15  # up's own limit is 5; a busy machine needs more
    assert not running(pids)
    assert not any(answers(port) for port in range(up.port, up.port + 4))
    assert not (data_dir / "up.json").exists()


@pytest.mark.long("starts two stacks")
def test_killed_up_leaves_nothing_running_and_keeps_its_data(start: StartUp) -> None:
    up = start()
    pids = up.wait_until_ready()
    up.shell("User.objects.create_user('kept@example.org')")
    up.process.kill()
    up.process.wait()
    # The next start, immediate and on the same ports, waits until the guard has cleaned up, and is
    # not misled by the up.json left behind.
    assert (up.data_dir / "up.json").exists()
    up = start(port=up.port)
    assert not wait_for_end(pids)
    up.wait_until_ready()
    assert up.shell("print(User.objects.filter(email='kept@example.org').count())") == "1\n"


@pytest.mark.long("starts a stack")
def test_killing_uv_run_stops_everything(start: StartUp) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv
    up = start(command=[uv, "run", "--no-sync", "project/manage.py"])
    pids = up.wait_until_ready()
    assert len(pids) > 8
    # Look for uv itself, because `uv` on PATH may be a shim that starts it.
    parent = next(pid for pid in [up.process.pid, *pids] if is_uv(pid))
    os.kill(parent, signal.SIGKILL)
    assert not wait_for_end(pids)


def is_uv(pid: int) -> bool:
    command = ["ps", "-o", "comm=", "-p", str(pid)]
    proc = Path(f"/proc/{pid}/comm")
    name = proc.read_text() if proc.exists() else subprocess.check_output(command, text=True)
    return Path(name.strip()).name == "uv"


@pytest.mark.long("starts a stack")
def test_killing_the_guard_stops_everything(start: StartUp) -> None:
    up = start()
    pids = up.wait_until_ready()
    guard = next(pid for pid in pids if "watchman" in command_of(pid))
    os.kill(guard, signal.SIGKILL)
    assert "was itself killed, so everything was stopped" in error_of(up)
    assert not running(pids)


def command_of(pid: int) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    if path.exists():
        return path.read_text()
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, text=True, capture_output=True, check=False).stdout


@pytest.mark.long("starts two stacks")
def test_two_checkouts_run_side_by_side(start: StartUp) -> None:
    one = start()
    with throwaway_data_dir(settings.DATA_DIR) as other_dir:
        other = start(data_dir=other_dir)
        pids = one.wait_until_ready()
        other.wait_until_ready()
        one.shell("User.objects.all().delete()")
        assert int(other.shell("print(User.objects.count())")) > 5
        assert one.stop(signal.SIGINT) == 0
        assert not running(pids)
        assert "/articles/" in other.get("/")
        assert other.stop() == 0


@pytest.mark.long("starts two stacks")
def test_second_start_needs_no_network_and_refuses_another_major_version(
    start: StartUp, data_dir: Path, tmp_path: Path
) -> None:
    first = start()
    first.wait_until_ready()
    assert first.stop() == 0
    offline = {
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "npm_config_offline": "true",
        "npm_config_cache": str(tmp_path / "npm"),
        **dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9"),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1"),
    }
    again = start(environment=offline)
    again.wait_until_ready()
    assert "/articles/" in again.get("/")
    assert again.stop() == 0

    home = data_dir.resolve() / "postgres"
    (home / "data" / "PG_VERSION").write_text("16\n")
    assert f"{home} was created by PostgreSQL 16" in error_of(start())
    assert (home / "data" / "base").is_dir()


@pytest.mark.long("starts a stack")
def test_services_and_options_are_read_from_dotenv(start: StartUp, data_dir: Path) -> None:
    with throwaway_postgres(settings.DATA_DIR) as url, throwaway_valkey() as server:
        (data_dir / ".env").write_text(
            f"DATABASE_URL={url}\nVALKEY_URL={server}/0\nCELERY_BROKER_URL={server}/1\n"
            "VITE_DEV_SERVER=false\n"
        )
        up = start(environment={"ENV_FILE": str(data_dir / ".env")})
        up.wait_until_ready()
        assert not (data_dir / "postgres").exists()
        assert [answers(up.port + number) for number in range(4)] == [True, False, False, False]
        home = up.get("/")
        script = re.search(r'src="(/static/assets/[\w-]+\.js)"', home)
        assert script, home
        assert up.get(script[1])
        assert up.stop() == 0


def test_busy_port_is_reported_before_anything_starts(start: StartUp) -> None:
    with embedded_valkey() as url:
        busy = int(url.rpartition(":")[2])
        error = error_of(start(environment={"POSTGRES_PORT": str(busy)}))
    assert f"Port {busy}, for PostgreSQL, is in use by python" in error
    assert "`up --port N`" in error


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "DATABASE_URL",
            "postgres://me:secret@127.0.0.1:9/app",
            "from DATABASE_URL (connection fail",
        ),
        pytest.param(
            "DATABASE_URL",
            "postgres//me:secret@nowhere",
            "DATABASE_URL is malformed",
            marks=MORE,
        ),
        pytest.param(
            "VALKEY_URL",
            "redis://:secret@127.0.0.1:9/0",
            "the server at 127.0.0.1:9 from VALKEY_URL",
            marks=MORE,
        ),
        pytest.param(
            "CELERY_BROKER_URL",
            "amqp://me:secret@127.0.0.1:9//",
            "127.0.0.1:9 from CELERY_BROKER_URL",
            marks=MORE,
        ),
        pytest.param("VITE_PORT", "many", "VITE_PORT must be a whole number", marks=MORE),
    ],
)
def test_invalid_setting_is_reported(start: StartUp, name: str, value: str, message: str) -> None:
    up = start(environment={name: value})
    assert message in error_of(up)
    assert "secret" not in up.output


@MORE
def test_other_settings_modules_are_refused(start: StartUp) -> None:
    test_settings = {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    assert "unset DJANGO_SETTINGS_MODULE" in error_of(start(environment=test_settings))


@MORE
def test_uncreatable_folder_is_reported(start: StartUp, data_dir: Path) -> None:
    (data_dir / "log").write_text("not a folder")
    assert f"{data_dir}/log" in error_of(start())
