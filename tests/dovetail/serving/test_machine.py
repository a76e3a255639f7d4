"""What a container may use, as its control groups say."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dovetail.serving import machine, plan
from dovetail.serving.plan import MIB

GROUPS = {
    "version 2, from outside": ("0::/system.slice/site.service\n", "system.slice/site.service"),
    "version 2, in a container": ("0::/\n", ""),
    "version 2, a parent has the limit": ("0::/kubepods/pod1/abc\n", "kubepods/pod1"),
}


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


@pytest.mark.parametrize("name", GROUPS)
def test_limits_of_version_2_are_found(tmp_path: Path, name: str) -> None:
    membership, folder = GROUPS[name]
    (tmp_path / "of-process").write_text(membership)
    root = tmp_path / "cgroup"
    write(root / folder, cpu__max="150000 100000", memory__max=str(512 * MIB))
    if folder:
        write(root, cpu__max="max 100000", memory__max="max")

    assert machine.cpu_quota(root, tmp_path / "of-process") == 1.5
    assert machine.memory_limit(root, tmp_path / "of-process") == 512 * MIB


@pytest.mark.parametrize("mounted", ["cpu,cpuacct", "cpu"])
def test_limits_of_version_1_are_found(tmp_path: Path, mounted: str) -> None:
    (tmp_path / "of-process").write_text("5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n")
    root = tmp_path / "cgroup"
    # Docker shows a container its own group as the root.
    write(root / mounted, **{"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"})
    write(root / "memory", **{"memory.limit_in_bytes": str(300 * MIB)})

    assert machine.cpu_quota(root, tmp_path / "of-process") == 0.5
    assert machine.memory_limit(root, tmp_path / "of-process") == 300 * MIB


@pytest.mark.parametrize("membership", ["0::/\n", "1:cpu:/\n2:memory:/\n", ""])
def test_no_limit_is_none(tmp_path: Path, membership: str) -> None:
    (tmp_path / "of-process").write_text(membership)
    write(tmp_path, cpu__max="max 100000", memory__max="max")
    write(tmp_path / "cpu", **{"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    write(tmp_path / "memory", **{"memory.limit_in_bytes": "9223372036854771712"})

    assert machine.cpu_quota(tmp_path, tmp_path / "of-process") is None
    assert machine.memory_limit(tmp_path, tmp_path / "of-process") is None


@pytest.mark.parametrize(
    ("cores", "quota", "memory", "workers", "reason"),
    [
        (4, None, None, 4, "4 cores"),
        (64, None, None, 8, "the most by itself"),
        (64, 1.5, None, 2, "a quota of 1.5 CPUs, 64 cores"),
        (64, 0.1, None, 1, "a quota of 0.1 CPUs"),
        (2, 8.0, None, 2, "2 cores"),
        (4, None, 600 * MIB, 2, "600 MiB of memory"),
        (4, None, 64 * MIB, 1, "64 MiB of memory"),
    ],
)
def test_number_of_workers_follows_the_machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    cores: int,
    quota: float | None,
    memory: int | None,
    workers: int,
    reason: str,
) -> None:
    """Kind: 64 workers in a container with the quota of two processors."""
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    monkeypatch.setattr(machine, "memory_limit", lambda: memory)

    made = plan.make()

    assert made.workers == workers
    assert reason in made.reasons[0]


def test_settings_decide(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(machine, "memory_limit", lambda: 2000 * MIB)
    settings.WEB_CONCURRENCY = 3
    made = plan.make()
    assert (made.workers, made.memory) == (3, 533)
    assert 86_400 <= made.lifetime <= 86_400 * 1.1

    settings.WEB_WORKER_MEMORY = 0
    settings.WEB_WORKER_LIFETIME = 0
    made = plan.make(workers=2)
    assert (made.workers, made.memory, made.lifetime) == (2, 0, 0)


def test_connections_are_no_more_than_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a server that fails to accept while it has room by its settings."""
    monkeypatch.setattr(machine, "open_files", lambda: 256)

    made = plan.make()

    assert made.connections == 128
    assert "ulimit -n" in made.reasons[1]
