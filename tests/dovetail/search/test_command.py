"""`search_index`, outside of a transaction as an operator runs it."""

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
    """Leave an index as an interrupted CREATE INDEX CONCURRENTLY does."""
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", index)


def test_the_status_of_what_is_there(search_engine: str, name: str) -> None:
    label = {"paradedb": "ParadeDB", "postgres": "PostgreSQL"}[search_engine]

    assert run("--status").startswith(f"shelves.Page: {label}, {name} ready, ")


def test_a_missing_index_is_reported_and_created(name: str) -> None:
    Page.objects.create(title="A chisel")
    execute(f"DROP INDEX {name}")

    with pytest.raises(CommandError, match="A search has no index to use"):
        run("--status")
    assert f"{name} ready" in run("--ensure")
    assert f"{name} ready" in run("--status")
    assert Page.objects.search("chisel").count() == 1


def test_a_half_built_index_is_reported_and_built_anew(name: str) -> None:
    invalidate(name)

    output = StringIO()
    with pytest.raises(CommandError):
        call_command("search_index", "--status", stdout=output)
    assert f"{name} is half-built and not used: run `search_index --ensure`" in output.getvalue()

    assert f"{name} ready" in run("--ensure")


def test_an_index_is_rebuilt_and_what_an_earlier_try_left_is_dropped(name: str) -> None:
    Page.objects.create(title="A chisel")
    execute(f'CREATE INDEX "{name}_ccnew" ON shelves_page (title)')
    invalidate(f"{name}_ccnew")

    assert f"{name} ready" in run("--rebuild")

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%%_ccnew'")
        assert cursor.fetchone() == (0,)
    assert Page.objects.search("chisel").count() == 1
