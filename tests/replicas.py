"""A replica that is behind: another database of the same server, with other rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, models
from pytest_django.fixtures import Settings

from dovetail.database.base import DatabaseWrapper
from dovetail.database.replica import REPLICA


@contextmanager
def replica_with(settings: Settings, *tables: type[models.Model]) -> Iterator[None]:
    """Add the database with empty tables of these models, and use the router and the middleware.

    The tables refer to no others, which do not exist there.
    """
    settings.DATABASE_ROUTERS = ["dovetail.database.replica.ReplicaRouter"]
    settings.MIDDLEWARE = ["dovetail.database.replica.ReplicaMiddleware", *settings.MIDDLEWARE]
    default = connections["default"]
    name = f"{default.settings_dict['NAME']}_replica"
    with default.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    wrapper = DatabaseWrapper(default.settings_dict | {"NAME": name}, alias=REPLICA)
    connections[REPLICA] = wrapper
    try:
        with wrapper.schema_editor() as editor:
            for model in tables:
                editor.create_model(model)
            editor.deferred_sql.clear()
        yield
    finally:
        wrapper.close()
        del connections[REPLICA]
        with default.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')


def copy_to_replica(*rows: models.Model) -> None:
    """Store rows there, or what has changed in them."""
    for row in rows:
        stored = type(row)._base_manager.using("default").get(pk=row.pk)
        stored.save_base(raw=True, using=REPLICA)
