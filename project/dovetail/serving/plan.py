"""How many processes and connections `manage.py serve` starts, and why."""

import math
from dataclasses import dataclass
from random import SystemRandom

from django.conf import settings

from dovetail.serving import machine

MOST_WORKERS = 8  # without WEB_CONCURRENCY: more could use up the database's connections
WORKER_MEMORY = 256  # MiB that a worker needs at least, with a picture to decode now and then
SHARE = 0.8  # of the container's memory that the workers may use before they are replaced
MIB = 1024 * 1024
OTHER_FILES = 128  # files of a process that are not connections: libraries, logs, the database


@dataclass(frozen=True)
class Plan:
    """What the server is started with.

    Attributes:
        workers: processes.
        connections: that each of them accepts at once, WebSockets included.
        lifetime: seconds after which a worker is replaced; 0 for never.
        memory: MiB beyond which a worker is replaced; 0 for no limit.
        reasons: sentences that say how the numbers came about.
    """

    workers: int
    connections: int
    lifetime: int
    memory: int
    reasons: tuple[str, ...]


def make(workers: int = 0) -> Plan:
    """Return a plan for this machine and the settings.

    Args:
        workers: the number of processes; 0 for that of `WEB_CONCURRENCY`.
    """
    limit = machine.memory_limit()
    count, reason = _workers(workers or settings.WEB_CONCURRENCY, limit)
    reasons = [reason]
    connections = settings.WEB_CONNECTIONS
    if (possible := machine.open_files() - OTHER_FILES) < connections:
        connections = max(1, possible)
        reasons.append(
            f"{connections} connections instead of {settings.WEB_CONNECTIONS}, because a process "
            f"may open no more files (`ulimit -n`)"
        )
    memory = settings.WEB_WORKER_MEMORY
    if memory is None:
        memory = max(WORKER_MEMORY, int(SHARE * limit / count) // MIB) if limit else 0
    return Plan(count, connections, _spread(settings.WEB_WORKER_LIFETIME), memory, tuple(reasons))


def _workers(wanted: int, memory: int | None) -> tuple[int, str]:
    if wanted:
        return wanted, "WEB_CONCURRENCY"
    cores, quota = machine.cores(), machine.cpu_quota()
    usable = min(cores, math.ceil(quota)) if quota else cores
    if quota and quota < cores:
        reason = f"a quota of {quota:g} CPUs, {cores} cores"
    else:
        reason = f"{cores} {'core' if cores == 1 else 'cores'}"
    fit = max(1, memory // (WORKER_MEMORY * MIB)) if memory else usable
    count = max(1, min(usable, fit, MOST_WORKERS))
    if count < usable:
        limit = (
            f"{memory // MIB} MiB of memory" if memory and count == fit else "the most by itself"
        )
        reason = f"{reason}, {limit}"
    return count, f"{reason}; WEB_CONCURRENCY sets another number"


def _spread(lifetime: int) -> int:
    """Return a lifetime of up to a tenth more, so that not all machines replace workers at once."""
    return int(lifetime * (1 + SystemRandom().random() / 10))
