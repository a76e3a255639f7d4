# ruff: noqa: INP001 - a program, installed by app.nix
"""The image's one command: `dovetail ROLE [ARGUMENT...]`.

The roles:

    web       the web server, on PORT (8000), with WEB_CONCURRENCY processes (2)
    worker    runs tasks
    beat      sends the tasks of the schedule; run one, never more
    migrate   brings the database up to date, and ends
    manage    any command of Django's manage.py

Further arguments go to the program behind the role.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def number(name: str, default: int, *, most: int) -> str:
    """Return a whole number from the environment.

    Raises:
        SystemExit: it is none, or out of bounds.
    """
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= most:
        sys.exit(f"error: {name} must be a whole number from 1 to {most}, not {value!r}.")
    return value


def web() -> list[str]:
    workers = number("WEB_CONCURRENCY", 2, most=512)
    server = ["granian", "--interface", "asgi", "--host", "0.0.0.0"]  # noqa: S104 - a container's
    server += ["--port", number("PORT", 8000, most=65535), "--workers", workers]
    # Granian's allocator then takes 4 KiB less for every socket: docs/realtime.md.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "cache_oblivious:false")
    # Without a limit, a worker that is told to stop while it still starts never ends.
    return [*server, "--workers-kill-timeout", "20s", "config.asgi:application"]


def worker() -> list[str]:
    return ["celery", "-A", "config.celery", "worker", "--loglevel=INFO"]


def beat() -> list[str]:
    # /tmp is the one folder it may write to.
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
            sys.exit(f"error: there is no role {name!r}; the roles are {', '.join(ROLES)}.")
        case _:
            sys.exit(f"error: which role? The roles are {', '.join(ROLES)}.")
    os.chdir(Path(__file__).parents[1] / "project")
    os.execvp(command[0], command)  # noqa: S606 - becomes the program, so signals reach it


if __name__ == "__main__":
    main()
