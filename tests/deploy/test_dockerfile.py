"""The Dockerfile builds, and what it builds runs: every role, as Compose runs it."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from dovetail.devtools.embedded.testing import free_port, throwaway_valkey
from tests.deploy import containers
from tests.deploy.containers import Built
from tests.production.conftest import _empty_database

START_TIMEOUT = 120  # seconds
UNWANTED = re.compile(
    r"/bin/(gcc|cc|c\+\+|ld|make|pip[0-9.]*|uv|uvx|npm|npx|node|curl|wget)$"
    r"|/project/dovetail/devtools/|/tests/conftest\.py$|/site-packages/(pip|pytest|mypy|ruff)/"
)
ADDED = ("/app/", "/usr/bin/tini", "/etc/ld.so.conf.d/postgresql.conf", "/etc/ld.so.cache")

pytestmark = [
    pytest.mark.long("builds the image from its bases, which takes minutes"),
    pytest.mark.xdist_group("dockerfile"),
    pytest.mark.skipif(bool(containers.missing()), reason=containers.missing()),
]


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    folder = Path(tempfile.mkdtemp(prefix="image-", dir="/var/tmp"))  # gigabytes
    try:
        yield containers.build(folder)
    finally:
        subprocess.run(["umount", "--quiet", *folder.glob("root/vfs/dir/*")], check=False)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def settings_() -> Iterator[dict[str, str]]:
    """Settings as in docker-compose.yml, and the servers that they name."""
    with _empty_database() as database, throwaway_valkey() as valkey:
        yield {
            "SECRET_KEY": "a-key-that-is-long-enough-and-random-1f8b7c0a9e2d4f6b",
            "ALLOWED_HOSTS": "site.example",
            "SITE_URL": "https://site.example",
            "TRUSTED_PROXY_COUNT": "1",
            "DATABASE_URL": database,
            "VALKEY_URL": f"{valkey}/0",
            "CELERY_BROKER_URL": f"{valkey}/1",
            "EMAIL_URL": "smtp+tls://mail.invalid:587",
            "DEFAULT_FROM_EMAIL": "hello@site.example",
            "WEB_CONCURRENCY": "1",
        }


@pytest.fixture(scope="module")
def running(built: Built, settings_: dict[str, str]) -> Built:
    """The image with these settings in its environment, and its migrations applied."""
    built.config["Env"] += [f"{name}={value}" for name, value in settings_.items()]
    run(built, "migrate", "--verbosity=0")
    return built


def run(
    built: Built, *arguments: str, program: str = "", check: bool = True
) -> "subprocess.CompletedProcess[str]":
    result = subprocess.run(
        built.command(*arguments, program=program),
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
    assert result.returncode == 0 or not check, result.stdout + result.stderr
    return result


@contextmanager
def started(built: Built, log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a role until the context ends, and expect it to end well after SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            built.command(*arguments), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
        process.terminate()
        assert process.wait(60) in {0, -15, 143}, log.read_text()
    finally:
        process.kill()
        process.wait()


def wait_for_health(built: Built, role: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while subprocess.run(
        built.health(role, process.pid), capture_output=True, check=False
    ).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()


def test_image_adds_only_the_application_to_its_base(built: Built) -> None:
    assert sorted(name for name in built.files() if not name.startswith(ADDED)) == []


def test_image_has_no_compiler_package_manager_or_test(built: Built) -> None:
    assert sorted(name for name in containers.files(built.root) if UNWANTED.search(name)) == []


def test_image_has_what_it_serves(built: Built) -> None:
    names = built.files()

    for pattern in (
        r"/app/staticfiles/assets/application-[\w-]+\.js\.br",
        r"/app/frontend/dist/\.vite/manifest\.json",
        r"/app/project/config/__pycache__/asgi\.cpython-3\d+\.pyc",
        r"/app/environment/lib/python3\.\d+/site-packages/pymemcache/__init__\.py",  # an extra
    ):
        assert [name for name in names if re.fullmatch(pattern, name)], pattern
    assert "/app/frontend/dist/assets" not in {str(Path(name).parent) for name in names}


def test_bytecode_is_never_checked_against_its_source(built: Built) -> None:
    [file] = (built.root / "app/project/config/__pycache__").glob("asgi.*.pyc")

    assert int.from_bytes(file.read_bytes()[4:8], "little") == 1  # PEP 552: by hash, unchecked


def test_image_holds_no_secret_or_state_of_the_checkout(built: Built) -> None:
    names = {Path(name).name for name in built.files()}

    assert names & {".env", "site.env", ".git", "secret_key", "database_url"} == set()


def test_image_is_labelled(built: Built) -> None:
    assert built.config["Labels"]["org.opencontainers.image.revision"] == "tested"


def test_containers_process_has_no_privileges(built: Built) -> None:
    script = (
        "id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; "
        "touch /app/x; touch /data/x /tmp/x"
    )

    result = run(built, "-c", script, program="/bin/sh")

    assert result.stdout.split() == ["65532", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    assert "Read-only file system" in result.stderr


def test_programs_for_backups_run(built: Built) -> None:
    for program in ("pg_dump", "pg_restore"):
        result = run(built, "--version", program=program)

        assert result.stdout.startswith(f"{program} (PostgreSQL) 17."), result.stderr


def test_site_is_backed_up(running: Built) -> None:
    """The container's /data and /tmp are its own, so that the backup is gone with it."""
    result = run(running, "manage", "backup", "--to=/data")

    assert "backup" in (result.stdout + result.stderr).lower()


def test_unknown_role_is_named(built: Built) -> None:
    result = run(built, "wbe", check=False)

    assert result.returncode == 1
    assert "unknown role 'wbe'" in result.stderr


def test_deployment_check_is_clean(running: Built) -> None:
    result = run(running, "manage", "check", "--deploy", "--fail-level", "WARNING", check=False)

    assert "System check identified no issues" in result.stdout + result.stderr


def test_web_serves(running: Built, tmp_path: Path) -> None:
    port = free_port()
    running.config["Env"].append(f"PORT={port}")
    log = tmp_path / "web.log"
    headers = {"Host": "site.example", "X-Forwarded-Proto": "https"}
    with started(running, log, "web") as web:
        wait_for_health(running, "web", web, log)

        ready = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=30)
        page = requests.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=30)
        [script] = re.findall(r'src="(/static/assets/application-[^"]+\.js)"', page.text)
        asset = requests.get(f"http://127.0.0.1:{port}{script}", headers=headers, timeout=30)

    assert requests.codes.ok == ready.status_code == page.status_code == asset.status_code
    assert ready.json()["checks"]["migrations"] == "ok"
    assert run(running, "health", "web", check=False).returncode == 1


@pytest.mark.parametrize("role", ["worker", "beat"])
def test_role_becomes_healthy_and_stops(running: Built, tmp_path: Path, role: str) -> None:
    log = tmp_path / "log"
    with started(running, log, role, *(["--concurrency=1"] if role == "worker" else [])) as process:
        wait_for_health(running, role, process, log)

    assert "Traceback" not in log.read_text()
