"""What follows when code changes: the worker restarts, and new migrations are named."""

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import watchfiles

from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard

FOLDERS = ("apps", "config", "dovetail")  # those of the project that hold Python
DUE = """
import django
django.setup()
from dovetail.http.migrations import due_migrations
print("due:", *due_migrations())
"""


def watch(project: Path, on_change: Callable[[set[Path]], object]) -> None:
    """Call a function in a thread with the changed files; Celery cannot watch them by itself."""

    def run() -> None:
        folders = [project / folder for folder in FOLDERS]
        for changes in watchfiles.watch(*folders, watch_filter=watchfiles.PythonFilter()):
            on_change({Path(path) for _, path in changes})

    threading.Thread(target=run, daemon=True).start()


def have_migrations(paths: Iterable[Path]) -> bool:
    """Return whether migrations are among the files."""
    return any(path.parent.name == "migrations" for path in paths)


def name_due_migrations(
    project: Path, environment: dict[str, str], guard: Guard, console: Console
) -> None:
    """Say which migrations the database lacks, if any.

    They are not applied: a migration that is still being written would be, too. Another process
    looks, because this one has loaded the code as it was.
    """
    done = guard.run([sys.executable, "-c", DUE], cwd=project, environment=environment)
    lines = done.stdout.strip().splitlines()
    last = lines[-1] if lines else ""
    if done.returncode:
        console.say(f"  The new migrations could not be read: {last}")
    elif due := last.removeprefix("due:").strip():
        console.say(
            f"  The database lacks {', '.join(due.split())}: run `uv run project/manage.py "
            "migrate`. Until then, every page says so."
        )
