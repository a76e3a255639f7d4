"""The choice of the engine, and the warnings about missing indexes."""

import pytest
from django.db import connection
from pytest_django import Settings

from dovetail.search import engine, engine_for
from dovetail.search.paradedb import ParadeDB
from dovetail.search.postgres import Postgres
from tests.dovetail.shelves.models import Page

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_reported", set())
    engine.clear_cache()


def found(text: str) -> list[str]:
    return [page.title for page in Page.objects.search(text, snippet="body", fuzzy=True)]


@pytest.mark.usefixtures("on_paradedb")
class TestWithExtension:
    def test_paradedb_index_is_used(self, settings: Settings) -> None:
        settings.SEARCH_ENGINE = "auto"

        assert engine_for(connection, Page) == engine_for(connection, Page)
        assert isinstance(engine_for(connection, Page), ParadeDB)

    def test_setting_selects_postgresql(self, settings: Settings) -> None:
        settings.SEARCH_ENGINE = "postgres"
        Page.objects.create(title="A chisel")

        assert isinstance(engine_for(connection, Page), Postgres)
        assert found("chisels") == ["A chisel"]

    @pytest.mark.parametrize("wanted", ["auto", "paradedb"])
    def test_missing_index_is_logged_once_and_searches_still_work(
        self, settings: Settings, caplog: pytest.LogCaptureFixture, wanted: str
    ) -> None:
        settings.SEARCH_ENGINE = wanted
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX page_search")
        Page.objects.create(title="A chisel")

        for _ in range(3):
            assert found("chisels") == ["A chisel"]
            assert found("chizels") == ["A chisel"]
            engine.clear_cache()

        first, second = (record.message for record in caplog.records)
        assert first == (
            "Table shelves_page has no ParadeDB index; using PostgreSQL full-text search until "
            "`manage.py search_index --ensure` creates it"
        )
        assert second.startswith(
            "Table shelves_page has no search index; every search reads the whole"
        )

    def test_invalid_index_is_not_used(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.SEARCH_ENGINE = "auto"
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'page_search'::regclass"
            )
        Page.objects.create(title="A chisel")

        assert found("chisels") == ["A chisel"]
        assert "has no ParadeDB index" in caplog.text


@pytest.mark.usefixtures("on_postgres")
class TestWithoutExtension:
    def test_nothing_is_logged(self, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
        settings.SEARCH_ENGINE = "auto"

        assert engine_for(connection, Page) == Postgres(stored=True)
        assert not caplog.records

    def test_searches_work_without_the_stored_column(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.SEARCH_ENGINE = "auto"
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE shelves_page DROP COLUMN search_document")
        Page.objects.create(title="A chisel", body="Sharp.")

        assert engine_for(connection, Page) == Postgres(stored=False)
        assert found("chisels -blunt") == ["A chisel"]
        assert found('"a chisel"') == ["A chisel"]
        assert "shelves_page has no search index" in caplog.text


@pytest.mark.usefixtures("on_paradedb")
def test_new_index_is_noticed_once_the_cache_expires(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEARCH_ENGINE = "auto"
    now = 0.0
    monkeypatch.setattr("dovetail.search.engine.time.monotonic", lambda: now)
    with connection.cursor() as cursor:
        cursor.execute("ALTER INDEX page_search RENAME TO other")
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'other'::regclass"
        )
        assert isinstance(engine_for(connection, Page), Postgres)
        cursor.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'other'::regclass")

    now = engine.CACHE_SECONDS - 1
    assert isinstance(engine_for(connection, Page), Postgres)
    now = engine.CACHE_SECONDS + 1
    assert isinstance(engine_for(connection, Page), ParadeDB)
