"""What the application's tables need before it starts."""

import traceback
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connections
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


def migrate(logs: Path) -> int:
    """Apply the migrations that are due, and return how many there were.

    Args:
        logs: where the traceback of a failure goes.

    Raises:
        SetupError: a migration failed, or this code's migrations do not fit those applied.
    """
    try:
        executor = MigrationExecutor(connections["default"])
        due = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if due:
            call_command("migrate", verbosity=0, interactive=False)
    except Exception as error:
        log = logs / "migrate.log"
        log.write_text(traceback.format_exc(), encoding="utf-8")
        reason = " ".join(str(error).split())
        raise SetupError(
            f"The migrations failed ({type(error).__name__}: {reason}): the traceback is in {log}."
        ) from error
    else:
        return len(due)
    finally:
        connections.close_all()


def people() -> People:
    try:
        users = User.objects.all()
        present = users.filter(email__in=LOGINS).count()
        return People(none=not users.exists(), demo=present == len(LOGINS))
    finally:
        connections.close_all()
