# ruff: noqa: INP001 - a script, installed by app.nix
"""The command of the image: `ROLE [ARGUMENT...]`.

Roles:

    web       the web server, on PORT (default 8000) with WEB_CONCURRENCY processes (default 2)
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


def number(name: str, default: int, *, most: int) -> str:
    """Return a whole number from the environment, as a string.

    Raises:
        SystemExit: the value is not a whole number, or out of range.
    """
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= most:
        sys.exit(f"error: {name} must be a whole number from 1 to {most}, not {value!r}.")
    return value


def web() -> list[str]:
    workers = number("WEB_CONCURRENCY", 2, most=512)
    server = ["granian", "--interface", "asgi", "--host", "0.0.0.0"]  # noqa: S104 - in a container
    server += ["--port", number("PORT", 8000, most=65535), "--workers", workers]
    # Granian's allocator then uses 4 KiB less per socket; see benchmarks/README.md.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "cache_oblivious:false")
    # HTTP/1 only: otherwise Granian waits without a limit for the first bytes of a connection. Also
    # for headers, in milliseconds, with their size in bytes, and the connections of a process.
    server += ["--http", "1", "--http1-header-read-timeout", "20000"]
    server += ["--http1-buffer-size", "65536", "--backpressure", "1024"]
    # Without a limit, a worker told to stop while it is still starting never stops.
    return [*server, "--workers-kill-timeout", "20s", "config.asgi:application"]


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
