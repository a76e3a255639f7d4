"""Migrates one app back and forth, and leaves it at its newest migration, whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Migrate = Callable[[str], Any]


@contextmanager
def migrating(app: str) -> Iterator[Migrate]:
    """Yield a function that migrates an app, and returns the models of that migration.

    Args:
        app: its label.
    """

    def migrate(name: str) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([(app, name)])
        return executor.loader.project_state((app, name)).apps

    try:
        yield migrate
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes(app))
