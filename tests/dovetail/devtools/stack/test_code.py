"""A running `up` names migrations that arrive, as by `git pull`."""

import io
import os
import queue
import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from dovetail.devtools.stack import code
from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a stack on a database without any table."""
    database = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
    monkeypatch.setitem(database, "dbname", "postgres")
    url = "postgres://{user}:{password}@{host}:{port}/{dbname}".format(**database)
    return os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "PYTHONPATH": str(settings.PROJECT_DIR),
    }


def test_migrations_that_the_database_lacks_are_named_with_the_remedy(
    environment: dict[str, str], guard: Guard
) -> None:
    console = Console(io.StringIO())
    code.name_due_migrations(settings.PROJECT_DIR, environment, guard, console)
    assert isinstance(console.stream, io.StringIO)
    said = console.stream.getvalue()
    assert "The database lacks " in said
    assert "users.0001_initial" in said
    assert "run `uv run project/manage.py migrate`" in said


def test_migration_that_does_not_load_is_reported_in_one_line(
    environment: dict[str, str], guard: Guard, tmp_path: Path
) -> None:
    (tmp_path / "config.py").write_text("raise SyntaxError('half written')")
    console = Console(io.StringIO())
    broken = environment | {"PYTHONPATH": str(tmp_path)}
    code.name_due_migrations(tmp_path, broken, guard, console)
    assert isinstance(console.stream, io.StringIO)
    assert console.stream.getvalue().count("\n") == 1
    assert "could not be read: SyntaxError: half written" in console.stream.getvalue()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("apps/shop/migrations/0002_price.py", True),
        ("dovetail/tasks/migrations/__init__.py", True),
        ("apps/shop/models.py", False),
        ("apps/migrations.py", False),
    ],
)
def test_migrations_are_told_from_other_code(path: str, *, expected: bool) -> None:
    assert code.have_migrations([Path("project/apps/x.py"), Path("project", path)]) is expected


def test_new_migration_is_noticed(tmp_path: Path) -> None:
    """With the real watcher, which may need a moment before it sees anything."""
    for folder in code.FOLDERS:
        (tmp_path / folder).mkdir()
    migrations = tmp_path / "apps" / "shop" / "migrations"
    migrations.mkdir(parents=True)
    seen: queue.Queue[set[Path]] = queue.Queue()
    code.watch(tmp_path, seen.put)
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.wait(0.2):
            number += 1
            (migrations / f"{number:04}_step.py").touch()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert code.have_migrations(seen.get(timeout=60))
    finally:
        done.set()
        writer.join()
