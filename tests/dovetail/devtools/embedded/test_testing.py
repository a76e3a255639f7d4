"""Services of a test session are gone after it ends or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
from django.conf import settings

from dovetail.devtools.embedded.testing import free_port, throwaway_postgres
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


def test_free_port_is_below_the_ephemeral_range() -> None:
    assert all(20_000 <= free_port() < 32_768 for _ in range(100))
