"""Fixtures that run tests on both search engines, each with its own database on the same server.

Both databases are copies of the migrated test database with indexes from `search_index --ensure`,
as after a move to another server. The `postgres` one lacks pg_search, like plain PostgreSQL.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from dovetail.search import engine
from dovetail.search.index import searchable_models

ENGINES = ("paradedb", "postgres")
Use = Callable[[str], Any]  # a context manager that takes the name of an engine


@pytest.fixture(scope="session")
def use_engine(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Use]:
    """Return a context manager that connects to an engine's database."""
    del django_db_setup
    origin = connection.settings_dict["NAME"]
    created: set[str] = set()

    @contextmanager
    def use(name: str) -> Iterator[None]:
        previous, settings.SEARCH_ENGINE = settings.SEARCH_ENGINE, name
        try:
            with django_db_blocker.unblock():
                if name not in created:
                    _create_database(origin, name)
                    created.add(name)
                connect_to(f"{origin}_{name}")
            yield
        finally:
            settings.SEARCH_ENGINE = previous
            connect_to(origin)

    yield use
    with django_db_blocker.unblock():
        connect_to(origin)
        for name in created:
            execute_on_server(f'DROP DATABASE IF EXISTS "{origin}_{name}" WITH (FORCE)')


@pytest.fixture(scope="class", params=ENGINES)
def search_engine(request: pytest.FixtureRequest, use_engine: Use) -> Iterator[str]:
    """Run each test on both engines."""
    with use_engine(request.param):
        yield request.param


@pytest.fixture(scope="class")
def on_paradedb(use_engine: Use) -> Iterator[None]:
    with use_engine("paradedb"):
        yield


@pytest.fixture(scope="class")
def on_postgres(use_engine: Use) -> Iterator[None]:
    with use_engine("postgres"):
        yield


def _create_database(origin: str, name: str) -> None:
    connection.close()
    execute_on_server(f'DROP DATABASE IF EXISTS "{origin}_{name}" WITH (FORCE)')
    execute_on_server(f'CREATE DATABASE "{origin}_{name}" TEMPLATE "{origin}"')
    connect_to(f"{origin}_{name}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_search'")
        if name == "paradedb" and not cursor.fetchone():
            pytest.skip("this server has no pg_search")
        if name == "postgres":
            cursor.execute("DROP EXTENSION IF EXISTS pg_search CASCADE")
    with connection.schema_editor() as editor:
        for model, index in searchable_models():
            editor.remove_index(model, index)
    call_command("search_index", "--ensure", stdout=StringIO())


def connect_to(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    engine.clear_cache()


def execute_on_server(statement: str) -> None:
    creation: Any = connection.creation
    with creation._nodb_cursor() as cursor:  # noqa: SLF001
        cursor.execute(statement)
