# ruff: noqa: INP001 - a script, installed by app.nix
"""The command of the image: `ROLE [ARGUMENT...]`.

Roles:

    web       the web server, on PORT (default 8000) with WEB_CONCURRENCY processes (by default one
              for each processor of the container)
    worker    runs background tasks
    beat      sends scheduled tasks; of several, one sends each
    migrate   applies database migrations and exits
    manage    runs any Django command

Further arguments are passed to the role's program.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def web() -> list[str]:
    return [*manage(), "serve", "--host", "0.0.0.0"]  # noqa: S104 - in a container


def worker() -> list[str]:
    # Celery's command prefers these to the settings.
    for name in ("BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE"):
        os.environ.pop(name, None)
    return ["celery", "-A", "config.celery", "worker", "--loglevel=INFO"]


def beat() -> list[str]:
    # /tmp is the only writable folder.
    return [*worker()[:3], "beat", "--loglevel=INFO", "--schedule=/tmp/beat", "--pidfile="]


def manage() -> list[str]:
    return ["python", "manage.py"]


def migrate() -> list[str]:
    return [*manage(), "migrate", "--noinput"]


ROLES: dict[str, Callable[[], list[str]]] = {
    role.__name__: role for role in (web, worker, beat, migrate, manage)
}


def main() -> None:
    match sys.argv[1:]:
        case [name, *arguments] if name in ROLES:
            command = [*ROLES[name](), *arguments]
        case ["help" | "-h" | "--help"]:
            sys.stdout.write(__doc__)
            return
        case [name, *_]:
            sys.exit(f"error: unknown role {name!r}; the roles are {', '.join(ROLES)}.")
        case _:
            sys.exit(f"error: no role given; the roles are {', '.join(ROLES)}.")
    os.chdir(Path(__file__).parents[1] / "project")
    os.execvp(command[0], command)  # noqa: S606 - so that signals reach the program


if __name__ == "__main__":
    main()
