"""A whole site in one process: requests by ASGI, and a worker in a thread.

It makes the requests that are listed as JSON in its argument, waits until the tasks that they have
called are done, and prints how long its telemetry took to stop, in seconds.
"""

import asyncio
import json
import sys
import threading
import time
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from celery.signals import task_postrun, worker_ready
from django.conf import settings

from config.asgi import application
from config.celery import app
from dovetail import telemetry

LIMIT = 60  # seconds


async def request(method: str, path: str, headers: dict[str, str], body: str) -> int:
    """Send a request to the application, and return the status of its answer."""
    path, _, query = path.partition("?")
    statuses = []
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
    }
    messages = [{"type": "http.request", "body": body.encode(), "more_body": False}]
    forever: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def receive() -> Any:
        return messages.pop() if messages else await forever

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        await application(scope, receive, send)
    except Exception:  # noqa: BLE001 - the server logs it
        statuses.append(500)
    return int(statuses[0])


def metrics_page() -> str:
    """Return the page for Prometheus, which a thread is about to serve."""
    url = f"http://127.0.0.1:{settings.METRICS_PORT}/metrics"
    until = time.monotonic() + LIMIT
    while True:
        try:
            with urlopen(url, timeout=LIMIT) as page:
                return str(page.read().decode())
        except URLError:
            assert time.monotonic() < until
            time.sleep(0.05)


def main() -> None:
    calls = json.loads(sys.argv[1])
    expected = set(calls["tasks"])
    all_done = threading.Event()

    def on_done(sender: Any, **_: Any) -> None:
        expected.discard(sender.name.rpartition(".")[2])
        if not expected:
            all_done.set()

    # Afterward, as Celery's command does: Sentry's integration comes too late for a worker that
    # has been imported.
    from celery.contrib.testing.worker import start_worker  # noqa: PLC0415

    task_postrun.connect(on_done)
    with start_worker(app, perform_ping_check=False, loglevel="ERROR"):
        worker_ready.send(sender=app)  # which the command does
        for call in calls["requests"]:
            sys.stdout.write(f"{asyncio.run(request(**call))}\n")
        assert not expected or all_done.wait(LIMIT), f"not done: {expected}"
        if settings.METRICS_PORT:
            page = metrics_page()
            assert not [secret for secret in calls["secrets"] if secret in page], page
            sys.stdout.write("".join(f"{line.replace(' ', '=')}\n" for line in page.splitlines()))
    began = time.monotonic()
    telemetry.stop()
    sys.stdout.write(f"{time.monotonic() - began}\n")


if __name__ == "__main__":
    main()
