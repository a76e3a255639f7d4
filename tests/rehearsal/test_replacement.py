"""Servers and workers are replaced as Compose and Kubernetes do it, and no one notices."""

import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg

from tests.cable.clients import ACTIONCABLE, Client, Node
from tests.cable.servers import wait_until
from tests.frontend import locked_frontend
from tests.production.image import Image
from tests.rehearsal.conftest import HOST, PASSWORD, PEOPLE, START, STOP, Release
from tests.rehearsal.visitors import Visitor, read, write

REQUESTS = 10_000
SERVERS = 2
WORKERS = 3  # one after the other
# Each task leaves a row. They are sent until a file exists, and so while workers are replaced.
SEND_TASKS = f"""
import sys, time
from pathlib import Path
from apps.users.tasks import record_failed_sign_in
sent = 0
while not Path("%s").exists():
    record_failed_sign_in.delay("{PEOPLE[0]}", {{"ip": None, "user_agent": str(sent)}})
    sent += 1
    time.sleep(0.02)
print(sent)
"""
DONE = "SELECT count(DISTINCT user_agent) FROM users_securityevent WHERE kind = 'sign_in_failed'"


def stream_name(page: str) -> str:
    """Return the signed name of the stream that a page follows."""
    return page.partition('signed-stream-name="')[2].partition('"')[0]


def test_replaced_servers_fail_no_request(release: Release, image: Image, node: str) -> None:
    """Kind: a deployment that costs some visitors an error, and open pages their live updates."""
    release.prepare(image)
    old = [release.start(image) for _ in range(SERVERS)]
    for web in old:
        release.wait_until_ready(web)
    release.traffic.add(read, number=3)
    release.traffic.add(read, number=2, keep_alive=False)
    release.traffic.add(write(PEOPLE, PASSWORD))
    release.traffic.add(write(PEOPLE, PASSWORD), keep_alive=False)
    with ExitStack() as ends:
        with locked_frontend() as frontend:
            runtime = Node(node, frontend / ACTIONCABLE, f"https://{HOST}", "")
        ends.callback(runtime.end)
        client = Client(runtime)
        client.open(f"http://127.0.0.1:{release.balancer.port}")
        ends.callback(client.close)
        visitor = Visitor(release.traffic, keep_alive=False)
        name = stream_name(visitor.get("/articles/"))
        client.subscribe("list", channel="TurboStreamsChannel", signed_stream_name=name)
        share = REQUESTS // (SERVERS * 2)

        for web in old:
            release.wait_for_requests(share)
            new = release.start(image)
            release.wait_until_ready(new)
            release.drain(web)
        release.wait_for_requests(share * SERVERS)
        release.traffic.end()

        client.wait_for_reconnect("list")
        seen = len(client.log("list", "received"))
        image.run(
            *("manage", "shell", "--no-imports", "--command"),
            "from dovetail.turbo.broadcasting import broadcast_refresh_to as b; b('articles')",
            DATABASE_URL=release.database,
        )
        client.received("list", count=seen + 1)
        assert client.log("list", "disconnected")

    assert release.traffic.failures == {}
    assert release.traffic.total() >= REQUESTS
    assert all(web.port in release.balancer.served for web in release.servers)
    assert '"level": "ERROR"' not in release.log()


def start_worker(image: Image, log: Path, database: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            image.command("worker", "--concurrency=2"),
            cwd=image.folder,
            env=image.environment | {"DATABASE_URL": database, "C_FORCE_ROOT": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def test_replaced_workers_lose_no_task(release: Release, image: Image, tmp_path: Path) -> None:
    """Kind: a task that was under way, or fetched ahead, when its worker was told to end."""
    release.prepare(image)
    enough = tmp_path / "enough"
    sender = subprocess.Popen(
        image.command("manage", "shell", "--no-imports", "--command", SEND_TASKS % enough),
        cwd=image.folder,
        env=image.environment | {"DATABASE_URL": release.database},
        stdout=subprocess.PIPE,
        text=True,
    )
    workers: list[subprocess.Popen[bytes]] = []
    counts: list[int] = []
    try:
        with psycopg.connect(release.database, autocommit=True) as connection:

            def done() -> int:
                [number] = connection.execute(DONE).fetchone() or [0]
                return int(number)

            for number in range(WORKERS):
                log = tmp_path / f"worker-{number}.log"
                workers.append(start_worker(image, log, release.database))
                wait_until(partial(is_in, log, "ready."), "the worker is ready", START)
                if number:
                    workers[-2].terminate()
                    assert workers[-2].wait(STOP) == 0
                counts.append(done())
                wait_until(lambda: done() >= counts[-1] + 20, "tasks that are done")
            enough.touch()
            sent = int(sender.communicate(timeout=STOP)[0])
            wait_until(lambda: done() == sent, "all tasks")
    finally:
        sender.kill()
        sender.wait()
        for worker in workers:
            worker.kill()
            worker.wait()


def is_in(log: Path, text: str) -> bool:
    return text in log.read_text()
