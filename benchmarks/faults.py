"""Count the tasks that are lost while their worker and their broker are killed.

    uv run benchmarks/faults.py [--tasks 10000] [--kills 10] [--restarts 3]

Sends tasks through the outbox, a thousand ahead of what is done, to a worker of two processes. On
the way, the worker is killed (-9) and started again, and so is RabbitMQ. Prints how many tasks were
done, and how many ran twice; done twice is none, since the database would refuse it.

Needs `rabbitmq-server` on PATH, as in `nix develop`.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from config.settings.parts.names import PROJECT_NAME  # noqa: E402
from dovetail.devtools.embedded.testing import (  # noqa: E402
    free_ports,
    throwaway_postgres,
    throwaway_valkey,
)

AHEAD = 1000  # tasks that are sent before they are done
TOGETHER = 50  # tasks in one transaction
LIMIT = 1200  # seconds
START_LIMIT = 120  # seconds
LOOK_EVERY = 5  # seconds; beat looks into the outbox each minute
PORTS = 13  # RabbitMQ takes the twelve after its own
WORKER = ["celery", "-A", "config.celery", "worker", "--include", "benchmarks.fault_tasks"]
WORKER += ["--concurrency", "2", "--loglevel", "WARNING"]
TABLES = """
CREATE TABLE benchmark_run (number integer);
CREATE TABLE benchmark_effect (number integer PRIMARY KEY);
"""


class Program:
    """A program with its children, which can be killed and started again.

    Attributes:
        port: where it listens; 0 for nowhere.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        environment: dict[str, str],
        port: int = 0,
        **options: Any,
    ) -> None:
        self.port = port
        self.start: Callable[[], subprocess.Popen[bytes]] = lambda: subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            **options,
        )
        self.process = self.start()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while self.port and is_open(self.port):  # its children may take a moment
            time.sleep(0.05)

    def restart(self) -> None:
        self.kill()
        self.process = self.start()

    def stop(self) -> None:
        """Ask it to end, with what it has started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def run_with_services(options: argparse.Namespace) -> None:
    """Run this script again, with throwaway services."""
    if not shutil.which("rabbitmq-server"):
        sys.exit("error: no rabbitmq-server on PATH; run this in `nix develop`")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    with (
        throwaway_postgres(ROOT / ".data") as postgres,
        throwaway_valkey() as valkey,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = {
            "DATABASE_URL": postgres,
            "VALKEY_URL": f"{valkey}/0",
            "ENV_FILE": os.devnull,
            "DATA_DIR": folder,
            "RABBITMQ_PORT": str(free_ports(PORTS)),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'project'}",
        }
        numbers = [f"--{name}={getattr(options, name)}" for name in ("tasks", "kills", "restarts")]
        command = [sys.executable, __file__, "--inside", *numbers]
        ended = subprocess.run(command, env=os.environ | environment, check=False)
    sys.exit(ended.returncode)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Program]:
    """Start RabbitMQ as the stack does, and set the URL of the broker in the environment."""
    services = folder / "services"
    services.mkdir(mode=0o700, exist_ok=True)
    environment = os.environ | {"state": str(services)}
    command = ["bash", "nix/services/run.sh", "rabbitmq"]
    port = int(os.environ["RABBITMQ_PORT"])
    server = Program(command, folder / "rabbitmq.log", environment, port, cwd=ROOT)
    try:
        wait_for(server)
        password = subprocess.check_output(
            ["bash", "nix/services/password.sh", "rabbitmq"], cwd=ROOT, env=environment, text=True
        ).strip()
        os.environ["CELERY_BROKER_URL"] = f"amqp://{PROJECT_NAME}:{password}@127.0.0.1:{port}//"
        yield server
    finally:
        server.stop()


def wait_for(server: Program) -> None:
    began = time.monotonic()
    while not is_open(server.port):
        if server.process.poll() is not None or time.monotonic() - began > START_LIMIT:
            sys.exit("error: RabbitMQ did not start")
        time.sleep(0.1)


def measure(options: argparse.Namespace, folder: Path, server: Program) -> dict[str, float]:
    """Send the tasks, kill what does them, and return the figures by their names."""
    from benchmarks.fault_tasks import count  # noqa: PLC0415
    from django.db import connection, transaction  # noqa: PLC0415 - needs Django

    from dovetail.tasks import outbox  # noqa: PLC0415
    from dovetail.tasks.models import TaskFailure  # noqa: PLC0415

    def number_of(table: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - one of two
            (number,) = cursor.fetchone()
        return int(number)

    task: Any = count
    worker = Program(WORKER, folder / "worker.log", dict(os.environ), cwd=ROOT / "project")
    faults = [
        (options.tasks * (number + 1) / (times + 1), program)
        for program, times in ((worker, options.kills), (server, options.restarts))
        for number in range(times)
    ]
    faults.sort(key=lambda fault: fault[0])
    began = looked = time.monotonic()
    sent = 0
    try:
        while (done := number_of("benchmark_effect")) < options.tasks:
            if time.monotonic() - began > LIMIT:
                break
            if faults and done >= faults[0][0]:
                _, program = faults.pop(0)
                program.restart()
            if sent < options.tasks and sent - done < AHEAD:
                with transaction.atomic():
                    for number in range(sent, min(sent + TOGETHER, options.tasks)):
                        outbox.delay(task, number)
                        sent = number + 1
                continue
            if time.monotonic() - looked > LOOK_EVERY:
                outbox.wake()
                looked = time.monotonic()
            time.sleep(0.05)
        seconds = time.monotonic() - began
    finally:
        worker.kill()
    done = number_of("benchmark_effect")
    return {
        "tasks": options.tasks,
        "worker killed": options.kills,
        "RabbitMQ killed": options.restarts,
        "lost": options.tasks - done,
        "ran again": number_of("benchmark_run") - done,
        "failed": TaskFailure.objects.count(),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        run_with_services(options)
        return

    folder = Path(os.environ["DATA_DIR"])
    with rabbitmq(folder) as server:
        import django  # noqa: PLC0415

        django.setup()
        from django.conf import settings  # noqa: PLC0415
        from django.core.management import call_command  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        settings.DEBUG = False  # it would record every statement
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
        figures = measure(options, folder, server)
    print("| | |")
    print("|---|---:|")
    for name, figure in figures.items():
        print(f"| {name} | {figure:,} |")
    if figures["lost"] or figures["failed"]:
        sys.exit("error: tasks were lost or failed")


if __name__ == "__main__":
    main()
