# ruff: noqa: INP001 - a script, installed by app.nix
"""The command of the image: `ROLE [ARGUMENT...]`.

Roles:

    web       the web server, on PORT (default 8000) with WEB_CONCURRENCY processes (by default one
              for each processor of the container)
    worker    runs background tasks
    beat      sends scheduled tasks; of several, one sends each
    migrate   applies database migrations and exits
    manage    runs any Django command
    health    exits with status 1 if the `web`, `worker` or `beat` of this container is not well:
              `health worker`

Further arguments are passed to the role's program.
"""

import http.client
import math
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

TIMEOUT = 3  # seconds the web server has to answer
# Seconds without a heartbeat; a worker beats every few seconds, also without its broker.
HANGS = 120


def web() -> list[str]:
    return [*manage(), "serve", "--host", "0.0.0.0"]  # noqa: S104 - in a container


def worker() -> list[str]:
    # Celery's command prefers these to the settings.
    for name in ("BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE"):
        os.environ.pop(name, None)
    heartbeat("worker")
    return ["celery", "-A", "config.celery", "worker", "--loglevel=INFO"]


def beat() -> list[str]:
    heartbeat("beat")
    # /tmp is the only writable folder.
    return [*worker()[:3], "beat", "--loglevel=INFO", "--schedule=/tmp/beat", "--pidfile="]


def manage() -> list[str]:
    return ["python", "manage.py"]


def migrate() -> list[str]:
    return [*manage(), "migrate", "--noinput"]


def heartbeat(role: str) -> Path:
    """Return the file in which a role notes that it lives, and let it know."""
    path = os.environ.get("HEARTBEAT_PATH") or f"/tmp/{role}.heartbeat"  # noqa: S108
    os.environ["HEARTBEAT_PATH"] = path
    return Path(path)


def health(role: str) -> str:
    """Return what is wrong with a role; "" if it lives.

    Without Django, whose start would cost seconds of the processor for each probe.
    """
    return answer() if role == "web" else last_heartbeat(role)


def answer() -> str:
    url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/livez"
    # HTTP_PROXY is for what the site asks of others.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=TIMEOUT).close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"web does not answer {url}: {error}."
    return ""


def last_heartbeat(role: str) -> str:
    path = heartbeat(role)
    try:
        beat_at = float(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return f"{role} has not started: there is no {path} yet."
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {error}."
    if not math.isfinite(beat_at):
        return f"{path} cannot be read: {beat_at} is no time."
    age = time.monotonic() - beat_at
    if age < 0:
        return f"{role} has not started: {path} is from before the machine was started."
    return f"{role} hangs: its last heartbeat was {age:.0f} seconds ago." if age > HANGS else ""


ROLES: dict[str, Callable[[], list[str]]] = {
    role.__name__: role for role in (web, worker, beat, migrate, manage)
}


NAMES = ", ".join([*ROLES, "health"])


def main() -> None:
    match sys.argv[1:]:
        case [name, *arguments] if name in ROLES:
            command = [*ROLES[name](), *arguments]
        case ["health", ("web" | "worker" | "beat") as role]:
            sys.exit(f"error: {problem}" if (problem := health(role)) else 0)
        case ["health", *_]:
            sys.exit("error: give one role after health: web, worker or beat.")
        case ["help" | "-h" | "--help"]:
            sys.stdout.write(__doc__)
            return
        case [name, *_]:
            sys.exit(f"error: unknown role {name!r}; the roles are {NAMES}.")
        case _:
            sys.exit(f"error: no role given; the roles are {NAMES}.")
    os.chdir(Path(__file__).parents[1] / "project")
    os.execvp(command[0], command)  # noqa: S606 - so that signals reach the program


if __name__ == "__main__":
    main()
