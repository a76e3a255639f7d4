"""One `up` in a folder and a shell that are as odd as can be, and a migration that arrives later.

The kinds: environment that one half of a pair inherits, "ready" that is said of what does not work,
programs that rely on a home, a terminal or a locale, and cookies that know no port.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.conf import settings

from dovetail.devtools.embedded.testing import free_ports
from tests.dovetail.devtools.embedded.test_client import HOSTILE
from tests.frontend import locked_frontend

TIMEOUT = 120  # seconds; allows for a busy machine
SERVICES = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "SITE_URL")
LEFT_OUT = ("TERM", "LANG", "XDG_CACHE_HOME", "PYTHONPATH", *SERVICES)
ODD = {
    **HOSTILE,
    "HOME": "/dev/null/home",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONSAFEPATH": "1",
    "NODE_ENV": "production",
    "npm_config_omit": "dev",
    "GRANIAN_SSL_CERTIFICATE": "/nonexistent",
    "http_proxy": "http://127.0.0.1:9",
}
MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("articles", "{latest}")]
    operations = [migrations.RunSQL("SELECT 1", "SELECT 1")]
"""
IGNORED = (".*cache", ".git", ".venv", ".data", "__pycache__", "node_modules", "dist", "tests")


class Checkout:
    """A copy of the checkout in an odd folder, and the `up` that runs in it."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.folder = folder
        shutil.copytree(settings.BASE_DIR, folder, ignore=shutil.ignore_patterns(*IGNORED))
        with locked_frontend() as frontend:
            modules = frontend / "node_modules"
            if modules.exists():
                shutil.copytree(
                    modules,
                    folder / "frontend" / "node_modules",
                    symlinks=True,
                    ignore=shutil.ignore_patterns(".vite*"),
                    copy_function=link,
                )
        self.data_dir = data_dir / "100% 'état' d'\nurgence"
        self.data_dir.mkdir(mode=0o711)
        (self.data_dir / "embedded").symlink_to(data_dir / "embedded")
        inherited = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        self.environment = (
            inherited
            | ODD
            | {
                "DATA_DIR": str(self.data_dir),
                "ENV_FILE": os.devnull,
            }
        )
        self.port = free_ports(4)
        self.url = f"http://localhost:{self.port}"
        self.log = data_dir / "terminal"
        # Standard input and standard error are closed.
        shell = ["/bin/sh", "-c", 'exec "$@" <&- 2>&-', "sh", sys.executable, "project/manage.py"]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [*shell, "up", "--port", str(self.port)],
                cwd=folder,
                env=self.environment,
                stdout=output,
            )

    def wait_for(self, text: str) -> None:
        """Wait until `up` has printed a text."""
        deadline = time.monotonic() + TIMEOUT
        while text not in (output := self.log.read_text(errors="replace")):
            assert self.process.poll() is None, output
            assert time.monotonic() < deadline, output
            time.sleep(0.05)

    def get(self, path: str) -> HTTPResponse | HTTPError:
        """Request a page; while the server restarts, again."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                response: HTTPResponse = urlopen(f"{self.url}{path}", timeout=60)  # noqa: S310
            except HTTPError as error:
                return error
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return response

    def manage(self, *arguments: str) -> str:
        """Run a command as in another terminal and return what it prints."""
        done = subprocess.run(
            [sys.executable, "project/manage.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)
    return target


@pytest.fixture
def checkout(tmp_path: Path, data_dir: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path / "my 100% [odd] {a,b} it's dépôt\n", data_dir)
    yield checkout
    if checkout.process.poll() is None:
        checkout.process.send_signal(signal.SIGTERM)
        checkout.process.wait(30)


@pytest.mark.stack
@pytest.mark.xdist_group("stack")
@pytest.mark.timeout(900)
@pytest.mark.long("copies the checkout and starts a stack in the copy")
def test_up_works_in_an_odd_folder_and_shell_and_names_migrations_that_arrive(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "localhost")
    checkout.wait_for(f"{settings.SITE_NAME} is ready")

    login = checkout.get("/accounts/login/")
    cookies = [line.partition("=")[0] for line in login.headers.get_all("Set-Cookie", [])]
    assert cookies
    assert all(name.endswith(f"_{checkout.port}") for name in cookies)
    assert f'name="csrf-param" content="csrftoken_{checkout.port}"' in login.read().decode()

    count = "from apps.users.models import User; print(User.objects.count() > 5)"
    assert checkout.manage("shell", "--no-imports", "-c", count) == "True\n"

    migrations = checkout.folder / "project" / "apps" / "articles" / "migrations"
    latest = max(path.stem for path in migrations.glob("[0-9]*.py"))
    (migrations / "9999_arrives.py").write_text(MIGRATION.format(latest=latest))
    checkout.wait_for("The database lacks articles.9999_arrives: run `uv run project/manage.py")
    while (page := checkout.get("/")).status == 200:  # the web server has not restarted yet
        page.read()
    assert page.status == 503
    assert "The database lacks articles.9999_arrives" in page.read().decode()

    checkout.manage("migrate", "--verbosity", "0")
    assert checkout.get("/").status == 200

    checkout.process.send_signal(signal.SIGTERM)
    assert checkout.process.wait(60) == 0
