"""Prepares the application's database: migrations and demo data."""

import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from dovetail.devtools.errors import SetupError


@dataclass(frozen=True)
class Accounts:
    """Which accounts the database has.

    Attributes:
        none: whether there are no accounts.
        demo: whether every demo account exists.
    """

    none: bool
    demo: bool


def migrate(logs: Path) -> int:
    """Apply pending migrations and return how many there were.

    Args:
        logs: the folder for the traceback of a failure.

    Raises:
        SetupError: a migration failed, or the migration history is inconsistent.
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
            f"A migration failed ({type(error).__name__}: {reason}): see the traceback in {log}."
        ) from error
    else:
        return len(due)
    finally:
        connections.close_all()


def find_accounts() -> Accounts:
    """Return which accounts the database has."""
    try:
        users = get_user_model()._default_manager.all()
        present = users.filter(email__in=_demo().LOGINS).count()
        return Accounts(none=not users.exists(), demo=present == len(_demo().LOGINS))
    finally:
        connections.close_all()


def demo_logins() -> str:
    """Return the demo accounts and their password for display."""
    return f"{', '.join(_demo().LOGINS)}; password {_demo().PASSWORD}"


def _demo() -> Any:
    """Return the module named by `settings.DEMO`, which has `LOGINS` and `PASSWORD`."""
    return import_module(settings.DEMO)
