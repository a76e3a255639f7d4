import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import instance as instances
from dovetail.devtools.stack.instance import Instance
from dovetail.devtools.supervisor.guard import Guard

HOLDER = """
import sys, time
from pathlib import Path
from dovetail.devtools.stack.instance import Instance
from dovetail.devtools.supervisor.guard import Guard
instance = Instance(Path(sys.argv[1]))
instance.describe(8000, "http://localhost:8000", {"SECRET": "x"})
print("holding", flush=True)
time.sleep(600)
"""


def test_second_up_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    first = Instance(tmp_path)
    first.describe(8100, "http://localhost:8100", {})
    with pytest.raises(SetupError, match=rf"already running here \(process {os.getpid()}\)") as e:
        Instance(tmp_path)
    assert "at http://localhost:8100" in str(e.value)
    first.close()
    Instance(tmp_path).close()


def test_instances_of_different_folders_are_independent(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Instance(tmp_path / "a"), Instance(tmp_path / "b")
    first.close()
    second.close()


def test_description_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.describe(8000, "http://localhost:8000", {"DATABASE_URL": "postgres://a:b@c/d"})
    file = tmp_path / "up.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {
        "pid": os.getpid(),
        "port": 8000,
        "url": "http://localhost:8000",
        "environment": {"DATABASE_URL": "postgres://a:b@c/d"},
    }
    instance.close()
    assert not file.exists()


def test_killed_up_does_not_block_the_next_one(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(settings.PROJECT_DIR)},
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(SetupError, match=rf"process {holder.pid}"):
            Instance(tmp_path)
        holder.kill()
    assert (tmp_path / "up.json").exists()
    Instance(tmp_path).close()


def test_next_up_waits_for_the_guard_of_a_killed_one(tmp_path: Path) -> None:
    first = Instance(tmp_path)
    guard = Guard(keep_open=[first.lock])
    first.close()  # as if killed: the guard still has the lock
    closing = threading.Timer(0.5, guard.close)
    closing.start()
    began = time.monotonic()
    Instance(tmp_path).close()
    assert time.monotonic() - began >= 0.4
    closing.join()


def test_lock_of_an_unknown_process_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "LOCK_TIMEOUT", 0.2)
    first = Instance(tmp_path)
    for content in (None, "{", '{"pid": 999999999}'):
        if content is not None:
            (tmp_path / "up.json").write_text(content)
        with pytest.raises(SetupError, match=rf"Another process holds {tmp_path}/up\.lock"):
            Instance(tmp_path)
    first.close()
