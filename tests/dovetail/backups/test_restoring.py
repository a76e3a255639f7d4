"""Restoring: all or nothing, and nothing twice."""

import errno
import hashlib
import json
import os
from dataclasses import asdict
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from dovetail.backups import pieces, places
from dovetail.backups.manifest import Entry, Manifest
from dovetail.search import engine
from dovetail.tasks import outbox
from dovetail.tasks.failures import retry
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.once import remove_old_records
from tests.dovetail.backups.conftest import (
    PICTURE,
    Elsewhere,
    content_of_tables,
    content_of_uploads,
    run,
    upload,
)
from tests.dovetail.backups.faults import FAULTS
from tests.dovetail.backups.test_retention import NOW, backup
from tests.factories import make_article, make_member

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("client_programs"),
]


@pytest.fixture
def made(place: places.Folder) -> Manifest:
    make_article(title="Kept")
    upload()
    run("backup")
    (made,) = pieces.complete(place)
    return made


def change_manifest(place: places.Folder, made: Manifest, **changes: Any) -> None:
    text = json.dumps(asdict(made) | changes)
    (place.path / made.name / "manifest.json").write_text(text)


def change_files(place: places.Folder, made: Manifest, path: str) -> None:
    """Have the checksums of a backup agree with a file that was changed."""
    folder = place.path / made.name
    lines = []
    for line in (folder / "files.jsonl").read_bytes().splitlines():
        entry = Entry.of(line)
        if entry.path == path:
            content = (folder / path).read_bytes()
            entry = Entry(path, len(content), hashlib.sha256(content).hexdigest())
        lines.append(entry.line())
    listed = b"".join(lines)
    (folder / "files.jsonl").write_bytes(listed)
    files = {"size": len(listed), "sha256": hashlib.sha256(listed).hexdigest()}
    change_manifest(place, made, files=files)


@pytest.mark.usefixtures("made")
def test_database_that_is_not_empty_is_left_alone() -> None:
    before = content_of_tables()

    with pytest.raises(CommandError, match=r"^The database is not empty: .* --replace\.$"):
        run("restore")

    assert content_of_tables() == before


@pytest.mark.usefixtures("made")
def test_replacing_takes_the_site_back() -> None:
    """Also the tables and types that came since, which a later migration would create again."""
    before = content_of_tables()
    Article.objects.all().hard_delete()
    default_storage.delete(PICTURE)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE newer (id serial); CREATE TYPE kind AS ENUM ('a')")
        cursor.execute("CREATE SCHEMA apart; CREATE VIEW apart.seen AS SELECT * FROM newer")

    run("restore", replace=True)

    assert content_of_tables() == before
    assert Article.objects.search("kept").count() == 1
    assert default_storage.exists(PICTURE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('newer'), to_regtype('kind'), to_regnamespace('apart')")
        assert cursor.fetchone() == (None, None, None)


ODD = r"""
CREATE SCHEMA "Odd ""schema";
CREATE TYPE "Odd ""schema"."a kind" AS ENUM ('one', 'it''s');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE "Odd ""schema"."Table FROM stdin;" (
  id integer GENERATED ALWAYS AS IDENTITY, kind "Odd ""schema"."a kind", body text,
  twice integer GENERATED ALWAYS AS (length(body) * 2) STORED) PARTITION BY RANGE (id);
CREATE TABLE "Odd ""schema".part PARTITION OF "Odd ""schema"."Table FROM stdin;"
  FOR VALUES FROM (0) TO (1000);
CREATE FUNCTION odd("Odd ""schema"."a kind") RETURNS text LANGUAGE plpgsql AS $$ BEGIN /*
COPY x FROM stdin;
\restrict x
\.
*/ RETURN ''; END $$;
CREATE AGGREGATE odd_sum(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
CREATE MATERIALIZED VIEW odd_view AS SELECT count(*) FROM "Odd ""schema".part;
INSERT INTO "Odd ""schema"."Table FROM stdin;" (kind, body)
  VALUES ('it''s', E'\\.\nBEGIN;\nCOPY x FROM stdin;\n\\N\t'), ('one', NULL);
SELECT lo_from_bytea(4711, 'large');
CREATE COLLATION "Odd collation" FROM "C";
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
CREATE OPERATOR "Odd ""schema".!! (RIGHTARG = integer, FUNCTION = int4abs);
CREATE OPERATOR FAMILY odd_family USING hash;
CREATE OPERATOR CLASS odd_class FOR TYPE integer USING hash
  AS OPERATOR 1 =, FUNCTION 1 hashint4(integer);
CREATE CONVERSION odd_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE CAST (point AS text) WITH INOUT AS ASSIGNMENT;
CREATE ACCESS METHOD odd_method TYPE INDEX HANDLER bthandler;
CREATE FOREIGN DATA WRAPPER odd_wrapper;
CREATE SERVER odd_server FOREIGN DATA WRAPPER odd_wrapper;
CREATE FUNCTION notice() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER odd_event ON ddl_command_end EXECUTE FUNCTION notice();
"""


def test_whatever_a_database_can_contain(elsewhere: Elsewhere) -> None:
    """Names with quotes, functions and rows that look like parts of a dump, large objects."""
    run("backup")
    with elsewhere():
        run("restore")
        with connection.cursor() as cursor:
            cursor.execute(ODD)
        before = content_of_tables()
        run("backup")

        for _ in range(2):
            run("restore", replace=True)
            assert content_of_tables().items() >= before.items()
            with connection.cursor() as cursor:
                cursor.execute("SELECT lo_get(4711), count FROM odd_view")
                assert cursor.fetchone() == (b"large", 2)
                cursor.execute(
                    "SELECT prosrc LIKE '%restrict x%' FROM pg_proc WHERE proname = 'odd'"
                )
                assert cursor.fetchone() == (True,)


def test_failure_leaves_the_database_as_it_was(place: places.Folder, made: Manifest) -> None:
    """The comparison of rows is the last step: everything before is undone."""
    make_article(title="Newer")
    before, indexes = content_of_tables(), index_definitions()
    rows = made.rows | {"public.articles_article": 7}
    change_manifest(place, made, rows=rows)

    with pytest.raises(CommandError, match=r"articles_article has 1 rows instead of 7: nothing"):
        run("restore", replace=True)

    assert content_of_tables() == before
    assert index_definitions() == indexes
    assert Article.objects.search("newer").count() == 1


def index_definitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
        return {definition for (definition,) in cursor.fetchall()}


@pytest.mark.usefixtures("made")
def test_database_in_use_is_not_replaced() -> None:
    other = connection.copy()
    other.ensure_connection()
    try:
        with pytest.raises(CommandError, match=r"in use by 1 other connections: stop the web"):
            run("restore", replace=True)
    finally:
        other.close()


@pytest.mark.usefixtures("made")
def test_check_only_writes_nothing(elsewhere: Elsewhere) -> None:
    before = content_of_uploads()
    with elsewhere():
        assert "can be restored here" in run("restore", check_only=True)
        assert content_of_tables() == {}
    assert content_of_uploads() == before


def test_backup_of_newer_code_is_refused(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere
) -> None:
    change_manifest(place, made, migrations=["articles.9999_future", "removed_app.0001_initial"])

    with elsewhere():
        with pytest.raises(CommandError, match=r"has the migration articles\.9999_future, which"):
            run("restore")
        assert content_of_tables() == {}


def test_backup_of_a_newer_server_is_refused(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere
) -> None:
    change_manifest(place, made, server=990000)

    with (
        elsewhere(),
        pytest.raises(CommandError, match=r"and the backup is of 99: restore it into"),
    ):
        run("restore")


def test_older_pg_restore_is_named_with_both_versions(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere
) -> None:
    change_manifest(place, made, pg_dump=99)

    with elsewhere(), pytest.raises(CommandError, match=r"pg_restore is of PostgreSQL \d+, .* 99:"):
        run("restore")


def test_newer_migrations_are_applied(elsewhere: Elsewhere) -> None:
    """As of a backup that a former version of the site has made."""
    call_command("migrate", "dovetail_tasks", "0002", verbosity=0)
    try:
        run("backup")
    finally:
        call_command("migrate", "dovetail_tasks", verbosity=0)
    with elsewhere():
        said = run("restore")

        assert "newer than the backup: dovetail_tasks.0003_traceparent." in said
        assert ("dovetail_tasks", "0003_traceparent") in MigrationRecorder(
            connection
        ).applied_migrations()


@pytest.mark.usefixtures("made")
def test_search_works_on_a_server_without_paradedb(
    elsewhere: Elsewhere, settings: Settings
) -> None:
    settings.SEARCH_ENGINE = "postgres"
    with elsewhere():
        run("restore")
        engine.clear_cache()

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_search'")
            assert cursor.fetchone() == (0,)
        assert "PostgreSQL, article_search_gin ready" in run("search_index", status=True)
        assert Article.objects.search("kept").count() == 1


def test_call_that_waited_is_held_back(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: mail that was sent after the backup was made is sent again by the restored site."""
    monkeypatch.setattr("dovetail.tasks.outbox.wake", lambda *_: None)
    outbox.delay(remove_old_records)
    run("backup")

    with elsewhere():
        assert "Held back 1 calls" in run("restore")

        assert not OutboxEntry.objects.exists()
        failure = TaskFailure.objects.get()
        assert "may have been done since" in failure.error
        retry(TaskFailure.objects.all())
        assert OutboxEntry.objects.count() == 1


def test_outbox_is_kept_if_the_site_was_stopped(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovetail.tasks.outbox.wake", lambda *_: None)
    outbox.delay(remove_old_records)
    run("backup")

    with elsewhere():
        run("restore", keep_outbox=True)

        assert OutboxEntry.objects.count() == 1
        assert not TaskFailure.objects.exists()


def test_sessions_stay_unless_told_to_end(elsewhere: Elsewhere) -> None:
    Client().force_login(make_member())
    run("backup")

    with elsewhere():
        run("restore")
        assert Session.objects.count() == 1
        run("restore", replace=True, end_sessions=True)
        assert not Session.objects.exists()


@pytest.mark.usefixtures("made")
def test_caches_are_emptied(elsewhere: Elsewhere) -> None:
    cache.set("of-the-former-site", 1)
    with elsewhere():
        run("restore")
    assert cache.get("of-the-former-site") is None


@pytest.mark.usefixtures("made")
def test_what_is_left_to_do_is_named_if_the_rest_fails(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caches are empty all the same: they are of the former site."""
    cache.set("of-the-former-site", 1)

    def fail(*_: Any, **__: Any) -> None:
        raise CommandError("no index")

    monkeypatch.setattr("dovetail.backups.restoring.call_command", fail)
    with (
        elsewhere(),
        pytest.raises(
            CommandError, match=r"is restored, but .*`manage.py search_index --ensure` and ANALYZE"
        ),
    ):
        run("restore")

    assert cache.get("of-the-former-site") is None


@pytest.mark.usefixtures("made")
def test_name_is_needed_if_the_place_has_backups_of_several_sites(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere
) -> None:
    other = backup(NOW, "https://staging.example")
    pieces.put_manifest(place, other)

    with elsewhere():
        with pytest.raises(CommandError, match=r"several sites: give the name of one\.") as error:
            run("restore")
        assert f"{made.name} of {made.site}" in str(error.value)
        assert f"{other.name} of https://staging.example" in str(error.value)
        assert "can be restored here" in run("restore", made.name, check_only=True)


@pytest.mark.usefixtures("made")
def test_other_file_of_the_same_name_is_not_replaced_silently(elsewhere: Elsewhere) -> None:
    default_storage.delete(PICTURE)
    default_storage.save(PICTURE, ContentFile(b"another"))
    with elsewhere():
        with pytest.raises(CommandError, match=r"already has another file named covers/"):
            run("restore")
        assert content_of_tables() == {}

        run("restore", replace=True)
        with default_storage.open(PICTURE) as file:
            assert file.read() == b"a picture"


@pytest.mark.usefixtures("made")
def test_upload_that_cannot_be_replaced_is_kept(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage is a real one, but for the error that a full disk gives while it writes."""
    default_storage.delete(PICTURE)
    default_storage.save(PICTURE, ContentFile(b"another"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("django.core.files.storage.filesystem.FileSystemStorage._save", full)
    with elsewhere(), pytest.raises(CommandError, match=r"No space left"):
        run("restore", replace=True)

    with default_storage.open(PICTURE) as file:
        assert file.read() == b"another"


def test_dump_that_cannot_be_read_replaces_no_upload(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere
) -> None:
    """As one that another program wrote: its checksums are right."""
    default_storage.delete(PICTURE)
    default_storage.save(PICTURE, ContentFile(b"another"))
    (place.path / made.name / "database" / "toc.dat").write_bytes(b"x")
    change_files(place, made, "database/toc.dat")

    with elsewhere(), pytest.raises(CommandError, match=r"^pg_restore failed: "):
        run("restore", replace=True)

    with default_storage.open(PICTURE) as file:
        assert file.read() == b"another"


@pytest.mark.parametrize("table", ["public.gone", "(SELECT pg_sleep(9)) AS x"])
def test_table_that_is_not_in_the_dump(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere, table: str
) -> None:
    change_manifest(place, made, rows=made.rows | {table: 1})

    with elsewhere():
        with pytest.raises(CommandError, match=r"^The table .* is not in the dump: nothing was"):
            run("restore")
        assert content_of_tables() == {}


@pytest.mark.parametrize("path", ["uploads/a\0b", "uploads/../x", "uploads//etc/x"])
def test_upload_that_leads_elsewhere_is_refused(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere, path: str
) -> None:
    listed = place.path / made.name / "uploads.jsonl"
    entry = Entry.of(listed.read_bytes())
    listed.write_bytes(Entry(path, entry.size, entry.sha256).line())
    change_files(place, made, "uploads.jsonl")

    with elsewhere():
        with pytest.raises(CommandError, match=r"^The path .* leads out of the backup"):
            run("restore")
        assert content_of_tables() == {}
    with pytest.raises(CommandError, match=r"^The path .* leads out of the backup"):
        run("backup", verify="")


@pytest.mark.parametrize("lines", [0, 2])
def test_list_with_other_uploads_than_there_are(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere, lines: int
) -> None:
    listed = place.path / made.name / "uploads.jsonl"
    listed.write_bytes(listed.read_bytes() * lines)
    change_files(place, made, "uploads.jsonl")

    with elsewhere(), pytest.raises(CommandError, match=r"are others than its list says"):
        run("restore")


def test_database_alone(place: places.Folder, elsewhere: Elsewhere) -> None:
    upload()
    run("backup", without_uploads=True)
    files = [path.name for path in place.path.rglob("*.png")]
    assert files == []
    default_storage.delete(PICTURE)

    with elsewhere():
        run("restore")

    assert content_of_uploads() == {}


@pytest.mark.parametrize("fault", ["changed", "cut off", "missing"])
@pytest.mark.parametrize("file", ["toc.dat", "*.dat.gz"])
def test_damaged_dump_is_not_restored(
    place: places.Folder, made: Manifest, elsewhere: Elsewhere, file: str, fault: str
) -> None:
    (path, *_) = sorted((place.path / made.name / "database").glob(file))
    FAULTS[fault](path)

    with pytest.raises(CommandError, match=r"[Rr]estore another"):
        run("backup", verify="")
    with elsewhere():
        with pytest.raises(CommandError, match=r"[Rr]estore another"):
            run("restore")
        assert content_of_tables() == {}
