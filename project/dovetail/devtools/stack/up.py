"""`manage.py up`: takes a fresh checkout to a running application, and shuts it down cleanly."""

import asyncio
import contextlib
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from dovetail.devtools.embedded import seaweedfs, valkey
from dovetail.devtools.embedded.client import forget_client_variables
from dovetail.devtools.embedded.postgres import Cluster
from dovetail.devtools.environment import environment_of_python
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import (
    checkout,
    code,
    collector,
    database,
    page,
    ports,
    programs,
    services,
)
from dovetail.devtools.stack.frontend import Frontend, find_node
from dovetail.devtools.stack.instance import Instance
from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.supervisor import Supervisor
from dovetail.devtools.supervisor.threads import in_thread

WATCH_INTERVAL = 0.5  # seconds between checks that the parent and the guard are still running


def up(*, port: int | None, build: bool, s3: bool, telemetry: bool = False) -> None:
    """Start everything and run until told to stop.

    Args:
        port: the port of the web server; by default the setting PORT, or 8000.
        build: whether to serve built assets instead of Vite's dev server.
        s3: whether to run an S3 server, and to store uploads there.
        telemetry: whether to collect traces.

    Raises:
        SetupError: it could not start, or had to stop.
    """
    data_dir: Path = settings.DATA_DIR
    checkout.ensure_usable(settings.BASE_DIR, data_dir)
    with contextlib.closing(Instance(data_dir)) as instance:
        guard = Guard(keep_open=[instance.lock])
        try:
            stack = Stack(instance, guard, port=port, build=build, s3=s3, telemetry=telemetry)
            asyncio.run(stack.run())
        finally:
            guard.close()


class Stack:
    """Everything one `up` runs."""

    def __init__(
        self,
        instance: Instance,
        guard: Guard,
        *,
        port: int | None,
        build: bool,
        s3: bool,
        telemetry: bool,
    ) -> None:
        self.started = time.monotonic()
        self.instance = instance
        self.guard = guard
        self.data_dir: Path = settings.DATA_DIR
        self.project: Path = settings.PROJECT_DIR
        self.logs = self.data_dir / "log"
        self.console = Console(sys.stdout)
        without_vite = settings.ENV.is_set("VITE_DEV_SERVER") and not settings.ENV.bool(
            "VITE_DEV_SERVER"
        )
        self.build = build or without_vite
        self.ports = ports.choose(port)
        self.services = services.Services.from_settings(self.ports, s3=s3)
        self.collector = collector.wanted(self.ports.otlp) if telemetry else None
        if self.services.database:
            forget_client_variables()
        self.url = f"http://localhost:{self.ports.web}"
        self.s3: seaweedfs.Server | None = None
        self.facts: dict[str, str] = {}  # shown once everything is ready

    async def run(self) -> None:
        """Start everything, wait for a signal or a failure, and stop everything."""
        self.supervisor = Supervisor(self.guard, self.console, self.logs)
        self.supervisor.logs.mkdir(mode=0o700, exist_ok=True)
        ends: set[asyncio.Future[Any]] = {self._told_to_stop(), self.supervisor.failure}
        start = asyncio.create_task(self._start())
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait(ends | {start}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.supervisor.failure.done():
                raise SetupError(self.supervisor.failure.result())
        finally:
            start.cancel()
            watch.cancel()
            if self.supervisor.is_busy:
                self.console.say("Stopping…")
                await self.supervisor.stop()

    async def _start(self) -> None:
        ports.ensure_free(self._uses())
        self.instance.describe(self.ports.web, self.url, {})
        self.console.step(f"Python {platform.python_version()}")
        try:
            async with asyncio.TaskGroup() as parts:
                data = parts.create_task(self._start_services())
                assets = parts.create_task(self._prepare_frontend())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        shared = self._shared(data.result())
        self.instance.describe(self.ports.web, self.url, shared)
        variables = self._environment(shared)
        application = [
            programs.web(self.project, self.ports.web, variables),
            programs.worker(self.project, self.data_dir, variables),
        ]
        if not self.build:
            application.append(assets.result().server(self.ports.vite, shared))
        with self._step("Web server and worker started"):
            await self.supervisor.start(*application)
        with self._step("Home page loaded with its scripts and styles"):
            await in_thread(lambda: page.load(self.url))
        self._watch_code(variables)
        self._welcome()

    def _watch_code(self, variables: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()

        def on_change(paths: set[Path]) -> None:
            loop.call_soon_threadsafe(self.supervisor.restart, "worker")
            if code.have_migrations(paths):
                code.name_due_migrations(self.project, variables, self.guard, self.console)

        code.watch(self.project, on_change)

    async def _start_services(self) -> Cluster | None:
        services.disable_pool()
        cluster = None
        wave = []
        if self.services.database:
            with self._step("PostgreSQL set up"):
                cluster = await in_thread(
                    lambda: services.prepare_cluster(self.data_dir, self.ports.postgres, self.guard)
                )
            services.connect_django_to(cluster)
            if cluster.account and cluster.home.parent != self.data_dir:
                self.facts["Data"] = (
                    f"{cluster.home} (user {cluster.account.name} cannot enter {self.data_dir})"
                )
            wave.append(services.postgres(cluster))
        if self.services.valkey:
            wave.append(self.services.program(self._environment({})))
        if self.collector:
            wave.append(self.collector.program(self.data_dir, self._environment({})))
            self.facts["Traces"] = f"{self.url}/dev/traces/"
        if self.services.s3:
            with self._step("S3 server set up"):
                self.s3 = await in_thread(
                    lambda: services.prepare_s3(self.data_dir, self.ports.s3, self.guard)
                )
            wave.append(services.s3(self.s3))
        with self._step("Database, cache and broker connected"):
            if wave:
                await self.supervisor.start(*wave)
            if server := self.s3:
                origins = self._origins()
                self.facts["Uploads"] = await in_thread(lambda: server.create_bucket(*origins))
            for part, describe in (
                ("Database", cluster.create_database if cluster else services.describe_database),
                ("Cache", valkey.describe if self.services.cache else services.describe_cache),
                ("Broker", valkey.describe if self.services.broker else services.describe_broker),
            ):
                self.facts[part] = await in_thread(describe)
        await self._update_database(self._environment(self._shared(cluster)))
        return cluster

    async def _update_database(self, variables: dict[str, str]) -> None:
        with self._step("Database migrated"):
            await in_thread(lambda: database.migrate(self.logs))
            accounts = await in_thread(database.find_accounts)
            if accounts.none:
                await self._add_demo(variables)
            if accounts.none or accounts.demo:
                self.facts["Log in"] = database.demo_logins()

    async def _add_demo(self, variables: dict[str, str]) -> None:
        """Add demo data in a separate process, whose settings include all services."""
        status, output = await self.supervisor.run(programs.demo(self.project, variables))
        if status:
            raise SetupError(f"The demo data could not be added: see {output.path}.")

    async def _prepare_frontend(self) -> Frontend:
        embedded = self.data_dir / "embedded"
        node = await in_thread(lambda: find_node(embedded, self.guard))
        frontend = Frontend(settings.BASE_DIR / "frontend", node, self.supervisor)
        with self._step(f"Front-end packages installed with {node}"):
            await frontend.install()
        if self.build:
            with self._step("Front end built"):
                sources = ("templates", "apps", "dovetail")
                await frontend.build(*(self.project / name for name in sources))
        assets = "built assets" if self.build else f"Vite on port {self.ports.vite}"
        self.facts["Front end"] = f"{assets}, {node}"
        return frontend

    def _uses(self) -> Iterator[tuple[int, str]]:
        yield self.ports.web, "the web server"
        if not self.build:
            yield self.ports.vite, "Vite"
        if self.services.database:
            yield self.ports.postgres, "PostgreSQL"
        if self.services.valkey:
            yield self.ports.valkey, "the Valkey-protocol server"
        if self.collector:
            yield self.ports.otlp, "the collector of traces"
        if self.services.s3:
            for distance in range(seaweedfs.PORTS):
                yield self.ports.s3 + distance, "the S3 server"

    def _shared(self, cluster: Cluster | None) -> dict[str, str]:
        """Return the settings shared by every process of the stack."""
        shared = self.services.environment(cluster, self.s3) | {
            "PORT": str(self.ports.web),
            "VITE_DEV_SERVER": str(not self.build).lower(),
            "VITE_PORT": str(self.ports.vite),
        }
        if self.collector:
            shared |= self.collector.environment()
        if not settings.ENV.is_set("SITE_URL"):
            shared["SITE_URL"] = self.url
        return shared

    def _origins(self) -> set[str]:
        """Return the origins of the pages that send files to the S3 server."""
        own = {self.url, f"http://127.0.0.1:{self.ports.web}"}
        return own | {settings.SITE_URL} if settings.ENV.is_set("SITE_URL") else own

    def _environment(self, shared: dict[str, str]) -> dict[str, str]:
        """Return the environment of the application's Python processes."""
        inherited = environment_of_python(os.environ, self.project)
        return inherited | shared | {"DATA_DIR": str(self.data_dir)}

    def _welcome(self) -> None:
        facts = {"Open": self.url, "Log in": "", "Mail": f"{self.url}/dev/mailbox/"} | self.facts
        facts["Logs"] = str(self.logs)
        self.console.say()
        seconds = time.monotonic() - self.started
        self.console.say(self.console.bold(f"  {settings.SITE_NAME} is ready ({seconds:.1f} s)"))
        self.console.say()
        for name, fact in facts.items():
            if fact:
                self.console.say(f"  {name:<10} {fact}")
        self.console.say()
        self.console.say("  Press Ctrl-C to stop.")
        self.console.say()

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.console.step(what, time.monotonic() - began)

    def _told_to_stop(self) -> asyncio.Future[None]:
        """Return a future resolved by the first signal; a second signal kills everything."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()

        def on_signal() -> None:
            if told.done():
                self.supervisor.kill()
            else:
                told.set_result(None)

        loop.add_signal_handler(signal.SIGINT, on_signal)
        loop.add_signal_handler(signal.SIGTERM, on_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # unless run with `nohup`
            loop.add_signal_handler(signal.SIGHUP, on_signal)
        return told

    async def _watch(self) -> None:
        """Stop everything when the parent `uv run` or the guard is killed."""
        parent = os.getppid()
        by_uv = _name(parent) == "uv"
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            if by_uv and os.getppid() != parent:
                self.supervisor.fail("`uv run` was killed, so everything was stopped.")
            if self.guard.process.poll() is not None:
                self.supervisor.fail(
                    "The guard process, which cleans up if `up` is killed, was itself killed, so "
                    "everything was stopped: run `up` again."
                )


def _name(pid: int) -> str:
    """Return the name of the program a process runs."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:  # macOS
        command = ["ps", "-o", "comm=", "-p", str(pid)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)  # noqa: S603
        return Path(done.stdout.strip()).name
