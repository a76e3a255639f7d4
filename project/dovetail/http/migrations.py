"""Knows which migrations this code needs and the database does not have yet."""

from functools import lru_cache

from django.db import DEFAULT_DB_ALIAS, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

Key = tuple[str, str]  # of a migration: its app and its name


@lru_cache(maxsize=1)
def _written() -> dict[Key, list[Key]]:
    """Return the migrations on disk, with those that each replaces.

    They are read once, because a process does not load new code.
    """
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return {key: list(migration.replaces) for key, migration in loader.disk_migrations.items()}


def due_migrations(connection: BaseDatabaseWrapper | None = None) -> list[str]:
    """Return the migrations to apply, such as `articles.0002_tags`, with one query.

    A database may be ahead of the code: during a rollout, old processes go on serving.

    Args:
        connection: by default, that of the default database.
    """
    connection = connection or connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT app, name FROM django_migrations")
        except ProgrammingError:  # there is no such table: nothing has been migrated
            applied: set[Key] = set()
        else:
            applied = set(cursor.fetchall())
    written = _written()
    for new, replaced in written.items():  # a squashed migration counts as what it replaces
        if replaced and new in applied:
            applied.update(replaced)
        elif replaced and applied.issuperset(replaced):
            applied.add(new)
    return sorted(".".join(key) for key in written.keys() - applied)
