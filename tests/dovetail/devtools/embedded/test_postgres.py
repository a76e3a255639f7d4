"""Tests for clusters, with the real server."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from dovetail.devtools.embedded import wheels
from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.postgres import Binaries, Cluster, find_binaries
from dovetail.devtools.embedded.testing import _answers, _start, free_port, throwaway_data_dir
from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.guard import Guard

MORE = pytest.mark.long("starts the server again")
pytestmark = pytest.mark.xdist_group("embedded")  # of which each worker would create a cluster


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    guard = Guard()
    account = server_account(settings.DATA_DIR / "none")
    found = find_binaries(reachable(settings.DATA_DIR, "embedded", account), guard)
    guard.close()
    return found


@pytest.fixture(scope="module")
def prepared(binaries: Binaries) -> Iterator[Path]:
    """Return a cluster created once; tests copy it, which is faster than initdb."""
    guard = Guard()
    with throwaway_data_dir(settings.DATA_DIR) as directory:
        home = directory / "postgres"
        Cluster(home, binaries, 1, server_account(home)).prepare(guard)
        yield home
    guard.close()


@pytest.fixture
def cluster(prepared: Path, data_dir: Path, binaries: Binaries) -> Cluster:
    home = data_dir / "postgres"
    subprocess.run(["cp", "-a", prepared, home], check=True)
    return Cluster(home, binaries, free_port(), server_account(home))


@contextmanager
def running(cluster: Cluster, guard: Guard) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the server, and kill it afterward as in a crash."""
    cluster.prepare(guard)
    for _ in range(5):  # processes of a killed server may briefly hold its shared memory
        server = _start(cluster, guard, cluster.home.parent / "log", durable=True)
        if _answers(cluster.answers, server):
            break
        time.sleep(0.2)
    try:
        assert server.poll() is None, (cluster.home.parent / "log").read_text()
        yield server
    finally:
        server.kill()
        server.wait()
        guard.forget(server.pid)


def make_program(path: Path, script: str) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run_sql(cluster: Cluster, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_new_cluster_is_private_and_sorts_the_same_on_every_system(
    cluster: Cluster, guard: Guard
) -> None:
    home = cluster.home
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "password").stat().st_mode & 0o777 == 0o600
    assert len(cluster.password) >= 32
    with running(cluster, guard):
        assert cluster.create_database().startswith(f"PostgreSQL {cluster.binaries.version} with")
        assert cluster.create_database()  # works again when it exists
        found = run_sql(
            cluster,
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding),"
            " current_setting('listen_addresses'), current_setting('unix_socket_directories'),"
            " (SELECT count(*) FROM pg_extension WHERE extname = 'pg_search')"
            " FROM pg_database WHERE datname = current_database()",
        )
        assert found == [("b", "C.UTF-8", "UTF8", "127.0.0.1", "", 1)]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(cluster.url().replace(cluster.password, "guess"))


@MORE
def test_sigint_stops_the_server_and_keeps_its_data(cluster: Cluster, guard: Guard) -> None:
    with running(cluster, guard) as server:
        cluster.create_database()
        run_sql(cluster, "CREATE TABLE kept AS SELECT 1 AS one")
        with psycopg.connect(cluster.url()):  # an open connection does not delay it
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
        assert not (cluster.data / "postmaster.pid").exists()
    with running(cluster, guard):
        assert run_sql(cluster, "SELECT one FROM kept") == [(1,)]


def test_killed_server_recovers(cluster: Cluster, guard: Guard) -> None:
    with running(cluster, guard):
        cluster.create_database()
        run_sql(cluster, "CREATE TABLE kept AS SELECT 1 AS one")
    assert (cluster.data / "postmaster.pid").exists()
    with running(cluster, guard):
        assert run_sql(cluster, "SELECT one FROM kept") == [(1,)]


@MORE
def test_stale_pid_file_is_removed(cluster: Cluster, guard: Guard) -> None:
    for content in (f"{os.getpid()}\n{cluster.data}\n", ""):
        (cluster.data / "postmaster.pid").write_text(content)
        with running(cluster, guard):
            assert cluster.answers()


@MORE
def test_server_that_outlived_its_supervisor_is_stopped(cluster: Cluster, guard: Guard) -> None:
    with running(cluster, guard) as lost:
        cluster.prepare(guard)
        assert lost.wait(20) == 0


def test_cluster_of_another_version_is_refused_and_kept(cluster: Cluster, guard: Guard) -> None:
    (cluster.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(SetupError, match=rf"{cluster.home} was created by PostgreSQL 16") as e:
        cluster.prepare(guard)
    assert "move that folder away" in str(e.value)
    assert (cluster.data / "base").is_dir()


def test_failed_initdb_leaves_nothing(data_dir: Path, guard: Guard) -> None:
    broken = data_dir / "bin"
    make_program(broken / "postgres", "echo 'postgres (PostgreSQL) 17.1'")
    make_program(broken / "initdb", "echo 'initdb: error: no locale' >&2; exit 1")
    home = data_dir / "postgres"
    cluster = Cluster(home, Binaries(broken, "broken"), 1, server_account(home))
    with pytest.raises(SetupError, match=r"initdb could not create a database .* no locale"):
        cluster.prepare(guard)
    assert [path.name for path in data_dir.glob("postgres*")] == []


@MORE
def test_client_variables_do_not_affect_the_server(
    cluster: Cluster, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("PGPORT", "1")
    with running(cluster, guard):
        assert cluster.answers()


def test_server_on_path_is_used_without_a_wheel(
    binaries: Binaries, guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "platform_key", lambda: "abacus")
    monkeypatch.setenv("PATH", f"{binaries.directory}:{os.environ['PATH']}")
    found = find_binaries(tmp_path, guard)
    assert found.directory == binaries.directory.resolve()
    assert found.origin == "from PATH"
    assert found.version == binaries.version


def test_old_server_on_path_is_refused_with_a_remedy(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "platform_key", lambda: "abacus")
    for name in ("postgres", "initdb"):
        make_program(tmp_path / name, "echo 'postgres (PostgreSQL) 14.2'")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"platform \(abacus\): install PostgreSQL 15 or newer"):
        find_binaries(tmp_path, guard)


def test_search_extension_is_found_next_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / "postgresql").mkdir(parents=True)
    (tmp_path / "bin" / "postgres").touch()
    assert not Binaries(tmp_path / "bin", "").has_search
    (tmp_path / "lib" / "postgresql" / "pg_search.so").touch()
    assert Binaries(tmp_path / "bin", "").has_search
    shutil.rmtree(tmp_path / "lib")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pg_search.dylib").touch()
    assert Binaries(tmp_path / "bin", "").has_search
