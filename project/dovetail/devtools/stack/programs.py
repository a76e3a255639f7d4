"""The application's own processes."""

import http.client
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import watchfiles
from django.conf import settings

from dovetail.devtools.supervisor.program import Program

CODE = ("apps", "config", "dovetail")  # the folders of the project that hold Python


def web(project: Path, port: int, environment: dict[str, str]) -> Program:
    """Return the web server, which restarts when code changes.

    It watches only folders with code: a log or database file would restart it forever.
    """
    watched = [part for folder in CODE for part in ("--reload-paths", str(project / folder))]
    return Program(
        name="web",
        command=[
            *(sys.executable, "-m", "granian", ":".join(settings.ASGI_APPLICATION.rsplit(".", 1))),
            *("--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
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


def watch_code(project: Path, on_change: Callable[[], object]) -> None:
    """Call a function in a thread whenever code changes; Celery cannot watch it by itself."""

    def watch() -> None:
        folders = [project / folder for folder in CODE]
        for _ in watchfiles.watch(*folders, watch_filter=watchfiles.PythonFilter()):
            on_change()

    threading.Thread(target=watch, daemon=True).start()


def _responds(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
