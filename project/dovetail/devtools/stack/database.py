"""What the application's tables need before it starts."""

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
class People:
    """Which accounts the database has.

    Attributes:
        none: whether it has no account yet.
        demo: whether it has every demo account.
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
        users = get_user_model()._default_manager.all()
        present = users.filter(email__in=_demo().LOGINS).count()
        return People(none=not users.exists(), demo=present == len(_demo().LOGINS))
    finally:
        connections.close_all()


def demo_logins() -> str:
    """Return the demo accounts and their password, as `up` prints them."""
    return f"{', '.join(_demo().LOGINS)}; password {_demo().PASSWORD}"


def _demo() -> Any:
    """Return the module that `settings.DEMO` names: it has `LOGINS` and `PASSWORD`."""
    return import_module(settings.DEMO)
