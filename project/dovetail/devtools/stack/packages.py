"""Which of the front end's locked packages are not installed, whatever npm was configured to do."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

# Explicit where the environment or an .npmrc could say otherwise: NODE_ENV=production or omit=dev
# would leave out Vite, and omit=optional its native parts.
OPTIONS = (
    *("--include=dev", "--include=optional", "--include=peer"),
    *("--no-dry-run", "--no-global", "--no-workspaces", "--no-package-lock-only"),
    *("--install-strategy=hoisted", "--bin-links"),
    # What an earlier start downloaded is used again.
    *("--prefer-offline", "--no-audit", "--no-fund", "--no-progress"),
)
CPUS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def missing(source: Path, lock: bytes) -> list[str]:
    """Return the packages that are locked for this machine but not installed in their version.

    Args:
        source: the folder with `node_modules`.
        lock: the content of `package-lock.json`.
    """
    packages: dict[str, dict[str, Any]] = json.loads(lock).get("packages", {})
    return [
        path.rpartition("node_modules/")[2]
        for path, package in packages.items()
        if path and _is_needed(package) and not _is_installed(source / path, package)
    ]


def _is_needed(package: dict[str, Any]) -> bool:
    """Return whether npm installs a package here.

    An optional one may be missing, unless it is the native part of another for this machine.
    """
    if package.get("link") or package.get("inBundle"):
        return False
    if not (package.get("optional") or package.get("devOptional")):
        return True
    musl = platform.libc_ver()[0] != "glibc"
    return (
        sys.platform in package.get("os", ())
        and CPUS.get(platform.machine().lower()) in package.get("cpu", ())
        and ("musl" if musl else "glibc") in package.get("libc", ("musl", "glibc"))
    )


def _is_installed(folder: Path, package: dict[str, Any]) -> bool:
    try:
        with (folder / "package.json").open("rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return False
    commands = folder.parent / ".bin"
    if folder.parent.name.startswith("@"):
        commands = folder.parent.parent / ".bin"
    return found.get("version", package.get("version")) == package.get("version") and all(
        (commands / name).exists() for name in package.get("bin", ())
    )
