"""What this process may use of the machine: processors, memory and open files.

Own code because Python's `os.process_cpu_count` (3.13) and Granian know nothing of the quota that
containers set: on a machine with 64 cores, a container with two would start 64 workers.
Sources: cgroups(7), and the kernel's admin-guide/cgroup-v2 and cgroup-v1.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OF_PROCESS = Path("/proc/self/cgroup")
UNLIMITED = 2**60  # bytes; version 1 writes a number of about this size for "no limit"


def cores() -> int:
    """Return how many processors this process may run on, whatever its quota."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = CGROUPS, of_process: Path = OF_PROCESS) -> float | None:
    """Return how many processors' time the container may use, such as 1.5; None for no limit.

    Args:
        root: where control groups are mounted.
        of_process: the file that names those of this process.
    """
    quotas = []
    for folder in _folders(root, of_process, "cpu"):
        if limit := _read(folder / "cpu.max"):
            quota, _, period = limit.partition(" ")
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def memory_limit(root: Path = CGROUPS, of_process: Path = OF_PROCESS) -> int | None:
    """Return how many bytes the container may use; None for no limit."""
    limits = []
    for folder in _folders(root, of_process, "memory"):
        limit = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
        if limit.isdecimal() and int(limit) < UNLIMITED:
            limits.append(int(limit))
    return min(limits, default=None)


def open_files() -> int:
    """Raise the limit of open files as far as this user may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS refuses what is over its own limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def _folders(root: Path, of_process: Path, controller: str) -> Iterator[Path]:
    """Yield the folders that limit this process: that of its group, and those above it.

    In a container, its own group usually is the root of what it sees.
    """
    for line in _read(of_process).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # Version 1 mounts each controller in a folder of its own.
        top = root / controllers if controllers else root
        if controllers and not top.is_dir():
            top = root / controller
        folder = top / path.lstrip("/")
        while folder.is_relative_to(top):
            yield folder
            folder = folder.parent


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
