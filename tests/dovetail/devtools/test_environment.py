"""What `up` is started in and with: users without a name or a home, closed streams, odd shells."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.embedded import account
from dovetail.devtools.environment import environment_of_python, with_writable_cache
from dovetail.devtools.errors import SetupError

STREAMS = """
import os, sys
from dovetail.devtools.environment import open_standard_streams
open_standard_streams()
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print("to standard output")
print("to standard error", file=sys.stderr)
sys.stdin.read()
os.write(file, str(file).encode())
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_are_opened_so_that_no_file_takes_their_place(
    tmp_path: Path, closed: str
) -> None:
    """A service manager or `>&-` may start a program with some of its streams closed."""
    command = f'exec "$0" -c "$1" "$2" {closed}'
    subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, STREAMS, str(tmp_path / "file")],
        env=os.environ | {"PYTHONPATH": str(settings.PROJECT_DIR)},
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
    )
    assert int((tmp_path / "file").read_text()) > 2


@pytest.mark.parametrize("locale", ["C", "POSIX", "no-such-locale"])
def test_locale_without_utf8_is_left(locale: str) -> None:
    """Celery and the watcher of code fail for paths that the locale cannot express."""
    code = (
        "from dovetail.devtools.environment import ensure_utf8; ensure_utf8(); import sys;"
        "print(sys.getfilesystemencoding(), sys.argv[1])"
    )
    ascii_only = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "an argument"],
        env=os.environ | ascii_only | {"PYTHONPATH": str(settings.PROJECT_DIR)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "utf-8 an argument\n"


def test_python_finds_the_project_in_spite_of_pythonsafepath() -> None:
    """The kind: a process that relies on what the shell may have switched off."""
    inherited = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": "/elsewhere"}
    environment = environment_of_python(inherited, settings.PROJECT_DIR)
    code = "import config, sys; print('/elsewhere' in sys.path)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd="/",
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_manage_py_finds_the_project_in_spite_of_pythonsafepath() -> None:
    done = subprocess.run(
        [sys.executable, settings.PROJECT_DIR / "manage.py", "help", "up"],
        env=os.environ | {"PYTHONSAFEPATH": "1", "DJANGO_SETTINGS_MODULE": "config.settings.dev"},
        cwd="/",
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--port" in done.stdout


def test_options_for_another_project_are_not_handed_on() -> None:
    foreign = ("GRANIAN_SSL_CERTIFICATE", "BROKER_URL", "LOADER", "CELERY_RESULT_BACKEND")
    own = ("PATH", "CELERY_BROKER_URL", "CELERY_BROKER_URL_FILE", "DATABASE_URL")
    inherited = dict.fromkeys([*foreign, *own], "x")

    kept = environment_of_python(inherited, Path("/project"))

    assert kept.keys() & inherited.keys() == set(own)


@pytest.mark.parametrize("home", [None, "", "/dev/null/home", "/dev/null", "/proc/1"])
def test_cache_moves_if_the_home_folder_cannot_be_written(home: str | None) -> None:
    """Containers start programs with HOME=/nonexistent, with HOME=/ or without it."""
    environment = {} if home is None else {"HOME": home}
    moved = with_writable_cache(environment, "npm_config_cache", ".npm", Path("/data/npm"))
    assert moved == environment | {"npm_config_cache": "/data/npm"}


def test_cache_stays_where_it_can_be_written_or_is_configured(tmp_path: Path) -> None:
    usual = {"HOME": str(tmp_path)}
    assert with_writable_cache(usual, "npm_config_cache", ".npm", Path("/data/npm")) == usual
    chosen = {"HOME": "/dev/null/home", "NPM_CONFIG_CACHE": "/shared/npm"}
    assert with_writable_cache(chosen, "npm_config_cache", ".npm", Path("/data/npm")) == chosen


def test_user_id_without_a_name_is_told_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `docker run --user 12345`: initdb asks for the name and has no option for it."""
    free = next(uid for uid in range(54_321, 60_000) if not _is_named(uid))
    monkeypatch.setattr(os, "geteuid", lambda: free)
    with pytest.raises(SetupError, match=rf"user id {free}, which .* /etc/passwd.* DATABASE_URL"):
        account.ensure_named_user()


def _is_named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
