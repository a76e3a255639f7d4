"""Measure how long the local stack takes to start and stop, and how much memory it uses.

    uv run benchmarks/start.py

Clones this checkout's HEAD into a temporary directory and starts it there twice with warm package
caches: the first start installs, migrates and writes demo data. Reports the seconds until the home
page answers, their ratio, and the memory of every process (PSS, which counts shared pages once)
with a total that leaves out Vite. Linux only, because it reads /proc.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
PORT = 8500
LIMIT = 300  # seconds


def start(clone: Path) -> tuple["subprocess.Popen[bytes]", float]:
    """Run `up` as in the README; return the process and the seconds until its home page answers."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL"}
    }
    began = time.monotonic()
    process = subprocess.Popen(
        ["uv", "run", "project/manage.py", "up", "--port", str(PORT)],
        cwd=clone,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while time.monotonic() - began < LIMIT:
        if process.poll() is not None:
            sys.exit(f"error: up exited with status {process.returncode}")
        try:
            with urlopen(f"http://127.0.0.1:{PORT}/", timeout=10):
                return process, time.monotonic() - began
        except (URLError, ConnectionError):
            time.sleep(0.05)
    sys.exit(f"error: the home page did not answer within {LIMIT} s")


def wait_until_ready(clone: Path) -> None:
    """Wait for the workers and Vite, which start after the home page answers."""
    state = clone / ".data" / "up.json"
    while not state.is_file() or "url" not in json.loads(state.read_text(encoding="utf-8")):
        time.sleep(0.1)
    time.sleep(5)


def memory(root: int) -> dict[str, float]:
    """Return the PSS in MiB of a process's descendants, by their command lines."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, parent = re.match(r"(\d+) \(.*\) \S (\d+)", status.read_text()).groups()  # type: ignore[union-attr]
        except OSError:
            continue
        parents[int(pid)] = int(parent)
    usage: dict[str, float] = {}
    for pid in parents:
        ancestor = pid
        while ancestor not in {0, 1, root}:
            ancestor = parents.get(ancestor, 0)
        if ancestor != root:
            continue
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:70]
        except OSError:
            continue
        pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        usage[f"{pid} {command}"] = int(pss[1]) / 1024 if pss else 0
    return usage


def stop(process: "subprocess.Popen[bytes]") -> float:
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(30)
    return time.monotonic() - began


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        clone = Path(folder) / "clone"
        began = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        cloned = time.monotonic() - began
        process, first = start(clone)
        wait_until_ready(clone)
        usage = memory(process.pid)
        first_stop = stop(process)
        process, second = start(clone)
        second_stop = stop(process)

    vite = {name: size for name, size in usage.items() if "node" in name or "vite" in name}
    print(f"clone + first start   {cloned + first:6.1f} s   (goal: under 40)")
    print(
        f"second start          {second:6.1f} s   (goal: under 6), {first / second:.1f} x as fast"
    )
    print(f"stop                  {first_stop:6.1f} s and {second_stop:.1f} s")
    for name, size in sorted(usage.items(), key=lambda item: -item[1]):
        print(f"  {size:6.0f} MiB  {name}")
    total = sum(usage.values()) - sum(vite.values())
    print(f"memory without Vite   {total:6.0f} MiB (goal: under 700)")


if __name__ == "__main__":
    main()
