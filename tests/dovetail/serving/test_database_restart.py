"""A database that restarts while people use the site."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.postgres import Cluster, find_binaries
from dovetail.devtools.embedded.testing import _answers, _start, free_port, throwaway_data_dir
from dovetail.devtools.supervisor.guard import Guard
from tests.dovetail.serving.servers import LIMIT, Serve

CLIENTS = 8
AFTERWARDS = 2  # seconds

pytestmark = [
    pytest.mark.long("creates a database server and restarts it"),
    pytest.mark.xdist_group("waits"),
]


class Database:
    """A PostgreSQL server that can be killed and started again."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        account = server_account(folder / "postgres")
        binaries = find_binaries(reachable(settings.DATA_DIR, "embedded", account), guard)
        self.guard = guard
        self.log = folder / "log"
        self.cluster = Cluster(folder / "postgres", binaries, free_port(), account)
        self.cluster.prepare(guard)
        self.start()
        self.cluster.create_database()

    def start(self) -> None:
        for _ in range(5):  # processes of a killed server may briefly hold its shared memory
            self.cluster.prepare(self.guard)
            self.server = _start(self.cluster, self.guard, self.log, durable=True)
            if _answers(self.cluster.answers, self.server):
                return
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        """End it as a crash does: processes of the server notice, and end their connections."""
        self.server.kill()
        self.server.wait(LIMIT)
        self.guard.forget(self.server.pid)


@pytest.fixture
def database() -> Iterator[Database]:
    guard = Guard()
    try:
        with throwaway_data_dir(settings.DATA_DIR) as folder:
            database = Database(folder, guard)
            yield database
            database.kill()
    finally:
        guard.close()


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which installs PostgreSQL")
def test_restart_costs_only_requests_while_there_is_no_database(
    database: Database, tmp_path: Path
) -> None:
    """Kind: errors for as long as a process keeps connections that have ended."""
    server = Serve(tmp_path, DATABASE_URL=database.cluster.url())
    answers: dict[str, Counter[object]] = {"before": Counter(), "during": Counter()}
    answers |= {"after": Counter()}
    phase = ["before"]
    done = threading.Event()

    def visit() -> None:
        with closing(server.connect()) as client:
            while not done.is_set():
                asked = phase[0]
                try:
                    client.request("GET", "/database/")
                    answer = client.getresponse()
                    answer.read()
                    answers[asked][answer.status] += 1
                except (OSError, HTTPException) as error:
                    answers[asked][repr(error)] += 1
                    client.close()

    visitors = [threading.Thread(target=visit) for _ in range(CLIENTS)]
    try:
        server.wait_until_started()
        for visitor in visitors:
            visitor.start()
        server.wait_for(lambda: answers["before"][200] > 20 * CLIENTS)
        phase[0] = "during"
        database.kill()
        server.wait_for(lambda: answers["during"][500])
        database.start()
        phase[0] = "after"
        server.wait_for(lambda: answers["after"][200])
        back = time.monotonic()
        server.wait_for(lambda: time.monotonic() - back > AFTERWARDS)
    finally:
        done.set()
        for visitor in visitors:
            visitor.join(LIMIT)
        server.end()
    in_flight = answers["before"].total() - answers["before"][200]
    assert in_flight <= CLIENTS, answers
    assert set(answers["after"]) == {200}, answers
    assert answers["after"][200] > 20 * CLIENTS
