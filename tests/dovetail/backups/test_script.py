"""Statements of a dump that the server of the restoration does not understand."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as project
from django.db import connection

from dovetail.backups import programs, script
from dovetail.devtools.embedded.postgres import Binaries
from dovetail.devtools.embedded.testing import throwaway_postgres

HEADER = [
    b"--\n",
    b"-- PostgreSQL database dump\n",
    b"\\restrict x\n",
    b"\n",
    b"SET lock_timeout = 0;\n",
    b"SET transaction_timeout = 0;\n",
    b"SELECT pg_catalog.set_config('search_path', '', false);\n",
]
FUNCTION = [b"CREATE FUNCTION f() AS $$\n", b"SET transaction_timeout = 0;\n", b"$$;\n"]


@pytest.mark.parametrize(("server", "dropped"), [(150018, 1), (160000, 1), (170000, 0)])
def test_settings_that_the_server_lacks_are_left_out_of_the_header(
    server: int, dropped: int
) -> None:
    """The same text in a function stays."""
    lines = list(script.understood([*HEADER, *FUNCTION], server))

    assert lines[-3:] == FUNCTION
    assert len(lines) == len([*HEADER, *FUNCTION]) - dropped
    assert lines.count(HEADER[5]) == 2 - dropped


@pytest.mark.django_db
def test_large_object_is_not_collected_in_memory() -> None:
    """What was sent can be seen when the end of the object has not been read yet."""
    seen: list[int] = []
    database = connection.cursor().connection

    def lines() -> Iterator[bytes]:
        yield b"SELECT pg_catalog.lo_open('4712', 131072);\n"
        for _ in range(100):
            yield b"SELECT pg_catalog.lowrite(0, '\\x" + b"20" * 16384 + b"');\n"
        row = database.execute("SELECT sum(length(lo_get(4712)))").fetchone()
        seen.append(row[0])
        yield b"SELECT pg_catalog.lo_close(0);\n"

    database.execute("SELECT lo_create(4712)")
    script._load(database, lines())  # noqa: SLF001 - the section with rows

    assert seen[0] > 1_000_000
    assert database.execute("SELECT length(lo_get(4712))").fetchone() == (100 * 16384,)


@pytest.mark.parametrize("major", [15, 16])
@pytest.mark.usefixtures("db", "client_programs")
def test_dump_of_a_newer_program_is_restored_into_an_older_server(
    tmp_path: Path, major: int
) -> None:
    folder = Path(f"/usr/lib/postgresql/{major}/bin")
    if not (folder / "initdb").exists():
        pytest.skip(f"PostgreSQL {major} is not installed")
    work = tmp_path / "work"
    work.mkdir()
    with (
        throwaway_postgres(project.DATA_DIR, Binaries(folder, "older")) as url,
        psycopg.connect(url, autocommit=True) as older,
    ):
        older.execute("CREATE TABLE kept AS SELECT 1 AS id; SELECT lo_from_bytea(1, 'x')")
        dump = [programs.find("pg_dump"), "--format=directory", f"--file={tmp_path / 'dump'}", url]
        subprocess.run(dump, check=True)
        older.execute("DROP TABLE kept; SELECT lo_unlink(1)")
        pg_restore = programs.find("pg_restore")
        listing = programs.run([pg_restore, "--list", str(tmp_path / "dump")])

        with older.transaction():
            script.restore(older, pg_restore, tmp_path / "dump", listing, work)

        assert older.execute("SELECT id, lo_get(1) FROM public.kept").fetchone() == (1, b"x")
