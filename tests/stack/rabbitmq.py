"""A RabbitMQ of the tests' own, started the way the stack starts it."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings.parts.names import PROJECT_NAME
from dovetail.devtools.embedded.testing import free_ports
from tests.stack.stack import ROOT, is_open

PORTS = 13  # it takes the twelve after its own
START_LIMIT = 120  # seconds
STOP_LIMIT = 60  # seconds
USER = PROJECT_NAME  # whom nix/services/rabbitmq.sh creates


class RabbitMQ:
    """A running server.

    Attributes:
        port: where it listens.
        url: for a client that may do everything.
    """

    def __init__(self, data: Path) -> None:
        self.port = free_ports(PORTS)
        self.environment = os.environ | {"DATA_DIR": str(data), "RABBITMQ_PORT": str(self.port)}
        self.url = self.url_of(self._run("password.sh", "rabbitmq"))

    def url_of(self, password: str, vhost: str = "/") -> str:
        return f"amqp://{USER}:{password}@127.0.0.1:{self.port}/{vhost}"

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl`, and return what it prints."""
        return self._run("rabbitmqctl.sh", "rabbitmqctl", "--quiet", *arguments)

    def _run(self, script: str, *arguments: str) -> str:
        return subprocess.check_output(
            ["bash", f"nix/services/{script}", *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
        ).strip()


@contextmanager
def running() -> Iterator[RabbitMQ]:
    with tempfile.TemporaryDirectory() as folder:  # a short path, for sockets
        server = RabbitMQ(Path(folder))
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                ["bash", "nix/services/run.sh", "rabbitmq"],
                cwd=ROOT,
                env=server.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            began = time.monotonic()
            while not is_open(server.port):
                assert process.poll() is None, (Path(folder) / "log").read_text()
                assert time.monotonic() - began < START_LIMIT
                time.sleep(0.1)
            server.control("await_startup")
            yield server
        finally:
            server.control("stop")
            process.wait(STOP_LIMIT)
