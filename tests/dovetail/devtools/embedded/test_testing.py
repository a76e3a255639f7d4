"""Services of a test session are gone after it ends or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from dovetail.devtools.embedded import valkey
from dovetail.devtools.embedded.testing import free_port, throwaway_postgres, throwaway_valkey
from dovetail.devtools.errors import SetupError
from tests.dovetail.devtools.processes import descendants, wait_for_end

SESSION = """
import sys, time
from pathlib import Path
from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey
with throwaway_postgres(Path(sys.argv[1])) as database, throwaway_valkey() as cache:
    print(database, cache, flush=True)
    time.sleep(600)
"""


def test_throwaway_database_is_removed_afterward() -> None:
    with throwaway_postgres(settings.DATA_DIR) as url, psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_setting('fsync'), current_setting('data_directory')"
        ).fetchone()
        assert row
        fsync, directory = row
        assert fsync == "off"
        connection.close()
    assert not Path(directory).parent.exists()


def test_killed_session_leaves_no_process_or_folder() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, settings.DATA_DIR],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(settings.PROJECT_DIR)},
    ) as session:
        assert session.stdout
        database, _ = session.stdout.readline().split()
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row
        directory = Path(row[0]).parents[1]
        started = descendants(session.pid)
        session.send_signal(signal.SIGKILL)
    assert not wait_for_end(started)
    assert not directory.exists()


def test_installed_valkey_lets_in_only_who_knows_its_password() -> None:
    if not valkey.find_installed():
        pytest.skip(f"There is no Valkey on PATH ({' or '.join(valkey.INSTALLED)})")
    with throwaway_valkey() as url:
        with redis.Redis.from_url(url) as client:
            directory = Path(client.config_get("dir")["dir"])
            assert client.info("server")["executable"]
            assert {path.name for path in directory.iterdir()} == {"valkey.conf", "log"}
            assert directory.stat().st_mode & 0o077 == 0
        with (
            redis.Redis.from_url(f"redis://{url.rpartition('@')[2]}") as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()

    assert not directory.exists()


def test_embedded_server_is_used_where_none_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "INSTALLED", ("no-such-server",))

    with throwaway_valkey() as url, redis.Redis.from_url(url) as client:
        assert client.ping()
        with pytest.raises(redis.ResponseError, match="unknown command"):  # a real one tells
            client.info("server")


def test_valkey_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "valkey-server"
    file.write_text("#!/bin/sh\necho cannot open the port\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    with (
        pytest.raises(SetupError, match=r"/valkey-server did not start: cannot open the port"),
        throwaway_valkey(),
    ):
        pass


def test_free_port_is_below_the_ephemeral_range() -> None:
    assert all(20_000 <= free_port() < 32_768 for _ in range(100))
