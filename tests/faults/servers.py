"""Services that the tests of this folder stop, hang and start again."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from dovetail.devtools.embedded.account import reachable, server_account
from dovetail.devtools.embedded.postgres import Cluster, find_binaries
from dovetail.devtools.supervisor.guard import Guard
from tests.cable.servers import Server, Valkey, wait_until
from tests.stack.stack import descendants


@contextmanager
def hung(server: Server) -> Iterator[None]:
    """Let a server accept connections and answer nothing, as one on a frozen machine."""
    assert server.process
    pids = descendants(server.process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Postgres(Server):
    """A cluster of its own, with room for few connections."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        super().__init__(folder / "postgres.log", dict(os.environ))
        account = server_account(folder / "postgres")
        binaries = find_binaries(reachable(settings.DATA_DIR, "embedded", account), guard)
        self.cluster = Cluster(folder / "postgres", binaries, self.port, account)
        self.cluster.prepare(guard)

    @property
    def url(self) -> str:
        return self.cluster.url()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.cluster.command(durable=False), "-c", "max_connections=30"],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self.cluster.environment(),
                **self.cluster.switch,
            )
        wait_until(self._started, "start of PostgreSQL")

    def answers(self) -> bool:
        return self.cluster.answers()

    def stop(self, number: int = signal.SIGINT) -> None:
        super().stop(number)


class Memcached(Server):
    def command(self) -> list[str]:
        program = shutil.which("memcached")
        assert program
        command = [program, "--listen=127.0.0.1", f"--port={self.port}"]
        return [*command, "--user=nobody"] if os.geteuid() == 0 else command

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False


__all__ = ["Memcached", "Postgres", "Valkey", "hung"]
