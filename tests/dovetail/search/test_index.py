"""The index in migrations, on servers with and without pg_search."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.db.migrations import AddIndex
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from pytest_django import Settings

from dovetail.search import (
    CreateSearchExtension,
    SearchConfig,
    SearchIndex,
    SearchQuerySet,
    engine,
)
from dovetail.search.index import index_of
from tests.dovetail.shelves.models import Book, Page

CONFIG = SearchConfig({"title": 2, "body": 1}, autocomplete=["title"], language="german")


@pytest.fixture
def pg_search(db: None) -> None:
    del db
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_search'")
        if not cursor.fetchone():
            pytest.skip("this server has no pg_search")


def indexes(table: str) -> set[str]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    return {name for name, constraint in constraints.items() if constraint["index"]}


def columns(table: str) -> set[str]:
    with connection.cursor() as cursor:
        return {
            column.name for column in connection.introspection.get_table_description(cursor, table)
        }


def note_model(**options: Any) -> ModelState:
    fields: list[tuple[str, models.Field[Any, Any]]] = [
        ("id", models.UUIDField(primary_key=True)),
        ("title", models.CharField(max_length=50)),
        ("body", models.TextField()),
        ("kind", models.CharField(max_length=50)),
        ("read_at", models.DateTimeField(null=True)),
    ]
    return ModelState("shelves", "Note", fields, {"db_table": "note", **options})


@pytest.mark.django_db
@pytest.mark.parametrize("with_table", [True, False])
def test_index_is_created_used_and_removed(search_engine: str, with_table: bool) -> None:
    index = SearchIndex(CONFIG, columns=["kind", "read_at"], name="note_search")
    state = ProjectState()
    state.add_model(note_model(indexes=[index] if with_table else []))
    note: Any = state.apps.get_model("shelves", "Note")
    with connection.schema_editor(atomic=False) as editor:
        editor.create_model(note)
        if not with_table:
            editor.add_index(note, index)
            state.add_index("shelves", "note", index)
            note = state.apps.get_model("shelves", "Note")
    connection.check_constraints()

    expected = "note_search" if search_engine == "paradedb" else "note_search_gin"
    assert expected in indexes("note")
    assert (engine.engine_for(connection, note).name) == search_engine

    for number, title in enumerate(["Die Häuser", "Das Boot"]):
        note(
            id=f"00000000-0000-7000-8000-00000000000{number}", title=title, body="", kind=""
        ).save()
    found: SearchQuerySet[Any] = SearchQuerySet(note)
    assert [row.title for row in found.search("haus")] == ["Die Häuser"]

    with connection.schema_editor(atomic=False) as editor:
        editor.remove_index(note, index)
    assert not {"note_search", "note_search_gin"} & indexes("note")
    assert "search_document" not in columns("note")
    # Searches still work, by reading the table.
    assert [row.title for row in found.search("haus")] == ["Die Häuser"]
    with connection.schema_editor(atomic=False) as editor:
        editor.delete_model(note)


def test_migration_serializes_the_structure_of_the_index() -> None:
    index = SearchIndex(CONFIG, columns=["kind"], name="note_search")

    text, imports = MigrationWriter.serialize(index)

    assert imports == {"import dovetail.search"}
    assert "language='german'" in text
    scope: dict[str, Any] = {}
    exec("\n".join(imports), scope)  # noqa: S102 - like a migration
    assert eval(text, scope) == index  # noqa: S307


def test_tuning_a_weight_needs_no_migration() -> None:
    first = SearchIndex(SearchConfig({"title": 3, "body": 1}), name="note_search")
    second = SearchIndex(SearchConfig({"title": 9, "body": 2}), name="note_search")
    third = SearchIndex(SearchConfig({"title": 1, "body": 3}), name="note_search")

    assert first == second
    assert first != third
    assert second.clone().config.weights == {"title": 9, "body": 2}


def test_model_without_an_index_raises() -> None:
    with pytest.raises(TypeError, match="Book cannot be searched: it has no SearchIndex"):
        index_of(Book)


@pytest.mark.django_db
@pytest.mark.usefixtures("on_postgres")
def test_required_but_missing_paradedb_stops_the_migration(settings: Settings) -> None:
    settings.SEARCH_ENGINE = "paradedb"
    operation = AddIndex("note", SearchIndex(CONFIG, name="note_search"))

    with pytest.raises(ImproperlyConfigured, match="SEARCH_ENGINE is paradedb, but this database"):
        operation.index.create_sql(Page, connection.schema_editor())


@pytest.mark.django_db
@pytest.mark.usefixtures("on_postgres", "pg_search")
def test_postgresql_searches_if_creating_the_extension_is_denied(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SEARCH_ENGINE = "auto"
    operation = CreateSearchExtension()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE search_reader")
        cursor.execute("SET LOCAL ROLE search_reader")

    with connection.schema_editor() as editor:
        operation.database_forwards("shelves", editor, ProjectState(), ProjectState())

    assert "Could not create the pg_search extension (permission denied" in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_search'")
        assert cursor.fetchone() is None


@pytest.mark.django_db
@pytest.mark.usefixtures("on_postgres", "pg_search")
def test_extension_is_created_if_possible(settings: Settings) -> None:
    settings.SEARCH_ENGINE = "auto"

    with connection.schema_editor() as editor:
        CreateSearchExtension().database_forwards("a", editor, ProjectState(), ProjectState())

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_search'")
        assert cursor.fetchone() == (1,)
