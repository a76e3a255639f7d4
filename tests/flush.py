"""Cleans up the database after each test, so that the last test runs as fast as the first.

After a test that has committed, Django truncates every table, then recreates the content types and
permissions. Most tests write few rows and never change those two, so here the rows are deleted,
which takes a tenth of the time.

After a rollback, each insertion leaves a segment behind in pg_search's index, and every search
opens all segments: it takes 14 ms at first and 300 ms after 400 insertions. Large indexes are
therefore rebuilt.
"""

from typing import Any, TypeAlias

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase, TransactionTestCase

from dovetail.search.index import searchable_models

LARGEST_INDEX = 8_192_000  # bytes; an empty one takes about 2.9 MB, and each insertion adds 120 kB

OF_MIGRATIONS = {ContentType._meta.db_table, Permission._meta.db_table}

Rows: TypeAlias = tuple[frozenset[tuple[object, ...]], ...]


def rows_of_migrations(alias: str) -> Rows:
    """Return what migrations leave in the database, for comparison."""
    types = ContentType.objects.using(alias).values_list("app_label", "model")
    permissions = Permission.objects.using(alias).values_list(
        "codename", "name", "content_type__app_label", "content_type__model"
    )
    return frozenset(types), frozenset(permissions)


def delete_all_rows(connection: BaseDatabaseWrapper) -> None:
    """Empty all tables except those of migrations."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(name) for name in sorted(set(names) - OF_MIGRATIONS)]
    # Foreign keys are checked at the end of the transaction.
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute("; ".join(f"DELETE FROM {table}" for table in tables))  # noqa: S608 - our own


def rebuild_large_search_indexes(connection: BaseDatabaseWrapper) -> None:
    """Rebuild the search indexes that exceed `LARGEST_INDEX`."""
    names = [index.name for _, index in searchable_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name"
            " WHERE pg_relation_size(to_regclass(quote_ident(name))) > %s",
            [names, LARGEST_INDEX],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"REINDEX INDEX {connection.ops.quote_name(name)}")


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean up this way after each test.

    A test that changed content types or permissions still gets Django's own flush.
    """
    roll_back = TestCase._fixture_teardown  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public hook
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public hook
    expected = rows_of_migrations("default")

    def teardown(case: Any) -> None:
        aliases = case._databases_names(include_mirrors=False)  # noqa: SLF001
        if case.available_apps is None and all(rows_of_migrations(a) == expected for a in aliases):
            for alias in aliases:
                delete_all_rows(connections[alias])
                rebuild_large_search_indexes(connections[alias])
        else:
            flush(case)

    def teardown_of_rollback(case: Any) -> None:
        roll_back(case)
        for alias in case._databases_names(include_mirrors=False):  # noqa: SLF001
            rebuild_large_search_indexes(connections[alias])

    monkeypatch.setattr(TestCase, "_fixture_teardown", teardown_of_rollback)
    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
    # It would open a connection for each test, whose first queries take ten times as long.
    monkeypatch.setattr(TransactionTestCase, "_should_reload_connections", lambda _case: False)
