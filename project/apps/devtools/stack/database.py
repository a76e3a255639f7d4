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
class Update:
    """What was done to a database.

    Attributes:
        migrations: how many were applied.
        filled: whether it was empty and now has demo data.
        has_logins: whether the demo's people can log in.
    """

    migrations: int
    filled: bool
    has_logins: bool

    def __str__(self) -> str:
        applied = f"{self.migrations} migrations applied" if self.migrations else "up to date"
        return f"Tables {applied}{', demo data added' if self.filled else ''}"


def update(logs: Path) -> Update:
    """Apply the migrations that are due, and fill an empty application with demo data.

    Args:
        logs: where the traceback of a failure goes.

    Raises:
        SetupError: a migration failed.
    """
    try:
        executor = MigrationExecutor(connections["default"])
        due = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if due:
            call_command("migrate", verbosity=0, interactive=False)
        filled = not User.objects.exists()
        if filled:
            call_command("demo", verbosity=0)
        has_logins = User.objects.filter(email__in=LOGINS).count() == len(LOGINS)
        return Update(len(due), filled, has_logins)
    except Exception as error:
        log = logs / "migrate.log"
        log.write_text(traceback.format_exc(), encoding="utf-8")
        reason = " ".join(str(error).split())
        raise SetupError(
            f"The database could not be brought up to date ({type(error).__name__}: {reason}): "
            f"the traceback is in {log}."
        ) from error
    finally:
        connections.close_all()
