"""The application's own processes."""

import http.client
import sys
from pathlib import Path

from django.conf import settings

from dovetail.devtools.errors import NotReadyError
from dovetail.devtools.stack import code
from dovetail.devtools.supervisor.program import Program


def web(project: Path, port: int, environment: dict[str, str]) -> Program:
    """Return the web server, which restarts when code changes.

    It watches only folders with code: a log or database file would restart it forever.
    """
    watched = [
        part for folder in code.FOLDERS for part in ("--reload-paths", str(project / folder))
    ]
    return Program(
        name="web",
        command=[
            *(sys.executable, "-m", "granian", ":".join(settings.ASGI_APPLICATION.rsplit(".", 1))),
            *("--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--http", "1", "--http1-buffer-size", "65536"),  # as in production
            # Without a limit, a worker told to stop while it is still starting never stops.
            *("--workers", "1", "--workers-kill-timeout", "2s", "--access-log"),
            *("--reload", *watched),
        ],
        cwd=project,
        environment=environment,
        is_ready=lambda: _responds(port),
    )


def demo(project: Path, environment: dict[str, str]) -> Program:
    """Return the program that adds the demo data and exits."""
    return Program(
        name="demo",
        command=[sys.executable, "manage.py", "demo"],
        cwd=project,
        environment=environment,
    )


def worker(project: Path, data_dir: Path, environment: dict[str, str]) -> Program:
    """Return a Celery worker with an embedded beat.

    It uses threads because they take the memory of one process, and because the default pool forks,
    which is not safe on macOS.
    """
    return Program(
        name="worker",
        waits_for_code=True,
        command=[
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-B"),
            *("--schedule", str(data_dir / "celerybeat-schedule")),
            *("--pool", "threads", "--concurrency", "2", "--loglevel", "INFO"),
            # These are for talking to other workers, and there are none.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        cwd=project,
        environment=environment
        | {
            "DATABASE_POOL_SIZE": "0",  # a worker closes its connection after each task
            # Containers run as root, and this is not a public server.
            "C_FORCE_ROOT": "1",
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        },
    )


def _responds(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez", headers={"Host": f"localhost:{port}"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"/livez: {error}") from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise NotReadyError(f"/livez answered {status}")
    return True
