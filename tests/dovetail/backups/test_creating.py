"""Making a backup: what is in it, and what is left of one that failed."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings as project
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError
from django.db import connection
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from dovetail.backups import creating, database, pieces, places, programs, work
from dovetail.backups.errors import BackupError
from dovetail.backups.tasks import back_up
from tests.dovetail.backups.conftest import Elsewhere, program, run, upload
from tests.eventually import Eventually
from tests.factories import make_article
from tests.processes import bare_environment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("client_programs"),
]


def real(script: str) -> str:
    """Return a pg_dump that runs a script before the real one dumps."""
    return f'case "$1" in --version) ;; *) {script} ;; esac\nexec "$real/pg_dump" "$@"'


def test_manifest_says_what_is_in_it(place: places.Folder) -> None:
    make_article()
    upload()

    run("backup")

    (made,) = pieces.complete(place)
    assert made.rows["public.articles_article"] == 1
    assert made.uploads == 1
    assert made.site == project.SITE_URL
    assert made.server == connection.cursor().connection.info.server_version
    assert len([name for name in made.migrations if name.startswith("articles.")]) == 1
    assert f"{made.name}  {project.SITE_URL}" in run("backup", list=True)


def test_files_are_for_their_owner_only(place: places.Folder) -> None:
    upload()

    run("backup")

    assert {path.stat().st_mode & 0o077 for path in place.path.rglob("*")} == {0}


def test_dump_has_the_rows_of_the_moment_when_they_were_counted(
    settings: Settings, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    """Kind: a dump of a busy site that differs from its manifest: here it deletes a row."""
    make_article()
    code = (
        "import os, psycopg; c = psycopg.connect('service=backup');"
        "c.execute('DELETE FROM articles_article'); c.commit()"
    )
    program(tmp_path, "pg_dump", real(f'{sys.executable} -c "{code}"'))
    program(tmp_path, "pg_restore", 'exec "$real/pg_restore" "$@"')
    settings.PG_BIN = str(tmp_path)

    run("backup")

    assert not Article.objects.exists()
    with elsewhere():
        run("restore")
        assert Article.objects.count() == 1


def test_password_is_in_no_argument(settings: Settings, tmp_path: Path) -> None:
    program(tmp_path, "pg_dump", f'echo "$@" >>{tmp_path}/seen\nexec "$real/pg_dump" "$@"')
    settings.PG_BIN = str(tmp_path)

    run("backup")

    seen = (tmp_path / "seen").read_text()
    password = database.parameters().get("password")
    assert "--snapshot=" in seen
    assert password
    assert password not in seen


def test_file_deleted_meanwhile_is_left_out(
    place: places.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload("covers/gone.png")
    upload()
    opened = default_storage.open

    def open_(name: str, mode: str = "rb") -> object:
        if name == "covers/gone.png":
            default_storage.delete(name)
        return opened(name, mode)

    monkeypatch.setattr(default_storage, "open", open_, raising=False)
    run("backup")

    (made,) = pieces.complete(place)
    assert made.uploads == 1


def test_upload_that_came_during_the_dump_is_in_it(
    place: places.Folder, settings: Settings, tmp_path: Path
) -> None:
    upload()
    late = Path(settings.MEDIA_ROOT, "covers", "late.png")
    program(tmp_path, "pg_dump", real(f"echo late >{late}"))
    before = settings.PG_BIN
    settings.PG_BIN = str(tmp_path)

    run("backup")

    (made,) = pieces.complete(place)
    assert made.uploads == 2
    settings.PG_BIN = before
    run("backup", verify="")


def test_missing_program_is_named_with_the_remedy(
    place: places.Folder, settings: Settings, tmp_path: Path
) -> None:
    settings.PG_BIN = str(tmp_path)

    with pytest.raises(
        CommandError, match=r"^pg_dump is not in PG_BIN .*: install .* or set PG_BIN"
    ):
        run("backup")

    assert place.names() == []


def test_pg_dump_older_than_the_server_is_named_with_both_versions(
    place: places.Folder, settings: Settings, tmp_path: Path
) -> None:
    program(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 14.2 (Debian 14.2-1)'")
    settings.PG_BIN = str(tmp_path)

    with pytest.raises(
        CommandError,
        match=r"^pg_dump is of PostgreSQL 14, and the server of 1\d: install postgresql-client-1\d",
    ):
        run("backup")

    assert place.names() == []


def test_failed_dump_leaves_nothing(
    place: places.Folder, settings: Settings, tmp_path: Path
) -> None:
    upload()
    program(tmp_path, "pg_dump", real("echo 'pg_dump: error: no space' >&2; exit 1"))
    settings.PG_BIN = str(tmp_path)

    with pytest.raises(CommandError, match=r"^pg_dump failed: no space$"):
        run("backup")

    assert place.names() == []
    assert list(settings.BACKUP_WORK_DIR.iterdir()) == []


def test_full_disk_leaves_nothing(place: places.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is a real folder, but for the error that a full disk gives at the manifest."""
    put = places.Folder.put

    def full(self: places.Folder, path: str, content: IO[bytes]) -> None:
        if path.endswith("manifest.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        put(self, path, content)

    monkeypatch.setattr(places.Folder, "put", full)

    with pytest.raises(CommandError, match=r"^The backup could not be written: No space left"):
        run("backup")

    assert place.names() == []


def test_second_backup_at_the_same_time_is_refused(place: places.Folder) -> None:
    with database.connect(), pytest.raises(CommandError, match=r"^Another backup .* is running"):
        run("backup")

    assert place.names() == []


def test_database_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")

    with pytest.raises(CommandError, match=r"^The database is unavailable: .*refused"):
        run("backup")


def test_missing_folder_is_not_created(settings: Settings, tmp_path: Path) -> None:
    """Kind: backups beneath the mount point of a volume that is not mounted."""
    settings.BACKUP_WORK_DIR = tmp_path / "work"

    with pytest.raises(
        CommandError, match=r"^There is no folder .*/none: create it, or mount it\.$"
    ):
        run("backup", to=tmp_path / "none")


def test_abandoned_backups_go_after_a_day(place: places.Folder) -> None:
    """What a killed process has left; one that is being made in the same place stays."""
    for name in ("20200101T000000Z-abcd", "29990101T000000Z-abcd"):
        place.put(f"{name}/database/toc.dat", ContentFile(b"x").file)

    run("backup")

    assert "20200101T000000Z-abcd" not in place.names()
    assert "29990101T000000Z-abcd  incomplete" in run("backup", list=True)


def test_locked_table_ends_a_backup(place: places.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a backup that waits without limit, and has others wait for its own locks."""
    monkeypatch.setattr(database, "LOCK_WAIT", 100)
    with locked_table(), pytest.raises(CommandError, match=r"^Another process has held a table"):
        run("backup")

    assert place.names() == []


@contextmanager
def locked_table() -> Iterator[None]:
    other = connection.copy()
    other.ensure_connection()
    try:
        other.connection.execute("BEGIN; LOCK TABLE articles_article")
        yield
    finally:
        other.close()


def test_stopped_command_that_waits_for_a_table(place: places.Folder, tmp_path: Path) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    )
    with locked_table(), connection.cursor() as cursor:
        process = started(place, tmp_path)
        for _ in Eventually():
            cursor.execute(waiting)
            if cursor.fetchone() == (1,):
                break
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        for _ in Eventually():
            cursor.execute(waiting)
            if cursor.fetchone() == (0,):
                break

    assert errors == "CommandError: Stopped by SIGTERM; nothing is left half-written.\n"
    assert process.returncode == 1


def test_end_of_the_terminal_is_ignored_under_nohup(place: places.Folder, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.1; done"
    program(tmp_path, "pg_dump", real(script))
    process = started(place, tmp_path, "nohup", PG_BIN=str(tmp_path))
    for _ in Eventually():
        if (tmp_path / "begun").exists():
            break
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert len(pieces.complete(place)) == 1


def test_stopped_command_leaves_nothing(place: places.Folder, tmp_path: Path) -> None:
    """SIGTERM, as when a container is stopped: one sentence, status 1, and no program left."""
    upload()
    script = f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 300"
    program(tmp_path, "pg_dump", real(script))
    process = started(place, tmp_path, PG_BIN=str(tmp_path))
    for _ in Eventually():
        if (tmp_path / "pid").exists():
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors == "CommandError: Stopped by SIGTERM; nothing is left half-written.\n"
    assert place.names() == []
    assert list((tmp_path / "work").iterdir()) == []
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def started(
    place: places.Folder, tmp_path: Path, *before: str, **environment: str
) -> "subprocess.Popen[str]":
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [*before, sys.executable, "project/manage.py", "backup"],
        cwd=project.BASE_DIR,
        env=bare_environment()
        | {
            "DATABASE_URL": _url(),
            "BACKUP_DIR": str(place.path),
            "BACKUP_WORK_DIR": str(tmp_path / "work"),
            "PG_BIN": str(Path(programs.find("pg_dump")).parent),
            "DATA_DIR": str(tmp_path / "data"),
        }
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _url() -> str:
    given = database.parameters()
    host = f"{given['host']}:{given.get('port', 5432)}"
    return f"postgres://{given['user']}:{given['password']}@{host}/{given['dbname']}"


def test_task_makes_a_backup_and_deletes_old_ones(place: places.Folder, settings: Settings) -> None:
    settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}

    back_up.delay()
    back_up.delay()

    assert len(place.names()) == 1


def test_task_without_a_place_fails(settings: Settings) -> None:
    settings.BACKUP_PLACE = {}

    with pytest.raises(BackupError, match=r"^There is no place for backups: set BACKUP_DIR"):
        back_up.delay()


@pytest.mark.parametrize(
    "options",
    [
        {"prune": True, "list": True},
        {"prune": True, "verify": ""},
        {"without_uploads": True, "list": True},
        {"identity": Path("site.key")},
        {"identity": Path("site.key"), "list": True},
    ],
)
def test_option_that_would_be_ignored_is_refused(
    place: places.Folder, options: dict[str, Any]
) -> None:
    with pytest.raises(CommandError, match=r"^--(prune|identity) "):
        run("backup", **options)

    assert place.names() == []


def test_folder_of_a_backup_is_told_from_that_of_all(place: places.Folder) -> None:
    run("backup")
    (name,) = place.names()

    with pytest.raises(CommandError, match=rf"{name} is a backup itself: give the folder that it"):
        run("backup", to=place.path / name, verify="")
    with pytest.raises(CommandError, match=r"and its name\.$"):
        run("restore", source=place.path / name)


def test_killed_process_leaves_nothing_for_long(settings: Settings, tmp_path: Path) -> None:
    """Kind: dumps that are not encrypted, and passwords beside them."""
    program(tmp_path, "pg_dump", real(f'echo "$PGSERVICEFILE" >{tmp_path}/seen'))
    settings.PG_BIN = str(tmp_path)
    left = settings.BACKUP_WORK_DIR / "backup-left"
    left.mkdir(parents=True)
    (left / "toc.dat").touch()

    with work.folder() as in_use:
        run("backup")
        assert list(settings.BACKUP_WORK_DIR.iterdir()) == [in_use]

    assert Path((tmp_path / "seen").read_text().strip()).is_relative_to(settings.BACKUP_WORK_DIR)


def test_limits_of_workers_do_not_end_a_backup() -> None:
    """DATABASE_TASK_TIMEOUT would end the counting of rows and the idle snapshot."""
    connection.settings_dict["OPTIONS"] = {"options": "-c statement_timeout=1"}
    try:
        with database.connect() as snapshot:
            assert snapshot.execute("SHOW statement_timeout").fetchone() == ("0",)
            snapshot.execute("SELECT pg_sleep(0.1)")
    finally:
        connection.settings_dict["OPTIONS"] = {}


def test_backups_of_one_second_are_in_order() -> None:
    """Kind: the newest of several is that of a moment ago, and not any of its second."""
    second = datetime(2026, 11, 29, 2, 15, 7, tzinfo=UTC)
    moments = [second.replace(microsecond=micro) for micro in (0, 20, 999_999)]
    moments.append(second + timedelta(seconds=1))

    names = [creating.name_for(moment) for moment in moments]

    assert names == sorted(set(names))
    assert all(places.NAME.fullmatch(name) for name in names)
