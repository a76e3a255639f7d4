"""The front end's packages and assets, which `up` may be replacing for another test."""

import asyncio
import fcntl
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from dovetail.devtools.stack.frontend import Frontend, find_node
from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.supervisor import Supervisor

FRONTEND = settings.BASE_DIR / "frontend"
# Those of `up --build`, which then has nothing to build.
SOURCES = ("project/templates", "project/apps", "project/dovetail")


@contextmanager
def locked_frontend() -> Iterator[Path]:
    """Wait until no `up` installs packages or builds assets, and let none begin meanwhile.

    `up` takes this lock, too. It installs what anything else than `up` has installed or built
    again, and then every file is gone for a while.

    Yields:
        The folder of the front end. It may have no packages.
    """
    with (FRONTEND / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield FRONTEND


def build_frontend(logs: Path) -> None:
    """Build the front end in the checkout, unless that is up to date."""

    async def build() -> None:
        guard = Guard()
        try:
            node = find_node(settings.DATA_DIR / "embedded", guard)
            supervisor = Supervisor(guard, Console(io.StringIO()), logs)
            frontend = Frontend(FRONTEND, node, supervisor)
            await frontend.install()
            await frontend.build(*(settings.BASE_DIR / name for name in SOURCES))
        finally:
            guard.close()

    asyncio.run(build())
