"""`search_index`, outside a transaction, as an operator runs it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.dovetail.shelves.models import Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("search_engine")]


@pytest.fixture
def name(search_engine: str) -> str:
    return "page_search" if search_engine == "paradedb" else "page_search_gin"


def run(action: str) -> str:
    output = StringIO()
    call_command("search_index", action, stdout=output)
    return next(line for line in output.getvalue().splitlines() if "shelves.Page" in line)


def execute(statement: str, *parameters: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def invalidate(index: str) -> None:
    """Put an index in the state that an interrupted CREATE INDEX CONCURRENTLY leaves."""
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", index)


def test_status_names_the_engine_and_its_index(search_engine: str, name: str) -> None:
    label = {"paradedb": "ParadeDB", "postgres": "PostgreSQL"}[search_engine]

    assert run("--status").startswith(f"shelves.Page: {label}, {name} ready, ")


def test_missing_index_is_reported_and_created(name: str) -> None:
    Page.objects.create(title="A chisel")
    execute(f"DROP INDEX {name}")

    with pytest.raises(CommandError, match="A search index is missing or invalid"):
        run("--status")
    assert f"{name} ready" in run("--ensure")
    assert f"{name} ready" in run("--status")
    assert Page.objects.search("chisel").count() == 1


def test_invalid_index_is_reported_and_built_again(name: str) -> None:
    invalidate(name)

    output = StringIO()
    with pytest.raises(CommandError):
        call_command("search_index", "--status", stdout=output)
    assert (
        f"{name} is invalid and not used: run `manage.py search_index --ensure`"
        in output.getvalue()
    )

    assert f"{name} ready" in run("--ensure")


def test_rebuild_drops_the_remains_of_an_interrupted_rebuild(name: str) -> None:
    Page.objects.create(title="A chisel")
    execute(f'CREATE INDEX "{name}_ccnew" ON shelves_page (title)')
    invalidate(f"{name}_ccnew")

    assert f"{name} ready" in run("--rebuild")

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%%_ccnew'")
        assert cursor.fetchone() == (0,)
    assert Page.objects.search("chisel").count() == 1
