# ruff: noqa: INP001 - a script, installed by app.nix and the Dockerfile
"""The health check of the image: `healthcheck [ROLE]`, which exits with status 0 if it is healthy.

Roles:

    web       the server answers /livez on PORT (the default)
    worker    this container's worker answers the broker, which takes it a second or two
    beat      the scheduler has written its schedule in the last ten minutes

Docker runs it for `web`; docker-compose.yml names the role for the others.
"""

import os
import socket
import sys
import time
import urllib.request
from pathlib import Path

TIMEOUT = 3  # seconds
SCHEDULE_AGE = 600  # seconds


def web() -> None:
    port = os.environ.get("PORT", "8000")
    urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=TIMEOUT)


def worker() -> None:
    os.chdir(Path(__file__).parents[1] / "project")
    name = f"celery@{socket.gethostname()}"
    ping = ["inspect", "ping", "--timeout", str(TIMEOUT), "--destination", name]
    os.execvp("celery", ["celery", "-A", "config.celery", *ping])  # noqa: S606, S607 - from PATH


def beat() -> None:
    # The scheduler writes its schedule every three minutes, and when it starts.
    written = [path.stat().st_mtime for path in Path("/tmp").glob("beat*")]  # noqa: S108 - its own
    if time.time() - max(written, default=0) > SCHEDULE_AGE:
        sys.exit("error: the scheduler has not written its schedule for 10 minutes.")


ROLES = {role.__name__: role for role in (web, worker, beat)}


def main() -> None:
    name = (sys.argv[1:] or ["web"])[0]
    if name not in ROLES:
        sys.exit(f"error: no health check for {name!r}; there are those of {', '.join(ROLES)}.")
    try:
        ROLES[name]()
    except OSError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
