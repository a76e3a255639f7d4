"""What the application's tables hold before it starts.

They are only looked at here. What is to be done, `manage.py` does in a process of its own, whose
settings know all services.
"""

from dataclasses import dataclass

from django.db import DatabaseError, connections
from django.db.migrations.exceptions import BadMigrationError, InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor

from apps.devtools.demo.people import LOGINS
from apps.devtools.errors import SetupError
from apps.users.models import User


@dataclass(frozen=True)
class People:
    """Who is there.

    Attributes:
        none: whether there is nobody yet.
        demo: whether the demo's people can log in.
    """

    none: bool
    demo: bool


def due_migrations() -> int:
    """Count the migrations that have yet to be applied.

    Raises:
        SetupError: the database has been migrated in a way that does not fit this code.
    """
    try:
        executor = MigrationExecutor(connections["default"])
        executor.loader.check_consistent_history(connections["default"])
        return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except (BadMigrationError, InconsistentMigrationHistory, DatabaseError) as error:
        raise SetupError(
            f"The database does not fit the migrations here ({' '.join(str(error).split())}): "
            "use the code that made it, or another database."
        ) from error
    finally:
        connections.close_all()


def people() -> People:
    try:
        users = User.objects.all()
        present = users.filter(email__in=LOGINS).count()
        return People(none=not users.exists(), demo=present == len(LOGINS))
    finally:
        connections.close_all()
