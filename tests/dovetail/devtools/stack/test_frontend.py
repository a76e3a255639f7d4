"""Tests for installing and building the front end, with the real npm and tiny packages."""

import io
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from django.conf import settings

from dovetail.devtools.embedded import wheels
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.frontend import Frontend, find_node, is_supported
from dovetail.devtools.supervisor.console import Console
from dovetail.devtools.supervisor.guard import Guard
from dovetail.devtools.supervisor.supervisor import Supervisor

MORE = pytest.mark.long("runs npm again, for another fault")
BUILD = (
    "const fs = require('fs');"
    "fs.mkdirSync('dist/.vite', {recursive: true});"
    "fs.appendFileSync('dist/.vite/manifest.json', 'built;')"
)


@pytest.fixture
async def frontend(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Frontend]:
    source, logs = tmp_path / "frontend", tmp_path / "log"
    source.mkdir()
    logs.mkdir()
    (source / "build.cjs").write_text(BUILD)
    package = {"name": "toy", "version": "1.0.0", "scripts": {"build": "node build.cjs"}}
    write_packages(source, package)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    supervisor = Supervisor(guard, Console(io.StringIO()), logs)
    node = find_node(settings.DATA_DIR / "embedded", guard)
    yield Frontend(source, node, supervisor)
    await supervisor.stop()


def write_packages(source: Path, package: Mapping[str, object], **packages: object) -> None:
    lock = {"name": "toy", "version": "1.0.0", "lockfileVersion": 3}
    (source / "package.json").write_text(json.dumps(package))
    (source / "package-lock.json").write_text(
        json.dumps(lock | {"packages": {"": package, **packages}})
    )


async def test_packages_are_installed_when_the_lock_file_changes(frontend: Frontend) -> None:
    assert await frontend.install()
    assert not await frontend.install()
    lock = frontend.source / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    assert await frontend.install()


@MORE
async def test_failed_installation_is_retried(frontend: Frontend) -> None:
    write_packages(
        frontend.source,
        {"name": "toy", "version": "1.0.0", "dependencies": {"absent": "1.0.0"}},
        **{
            "node_modules/absent": {
                "version": "1.0.0",
                "resolved": "http://127.0.0.1:9/absent/-/absent-1.0.0.tgz",
                "integrity": "sha512-AAAA",
            }
        },
    )
    for _ in range(2):
        with pytest.raises(SetupError, match=r"npm could not download .* check your network"):
            await frontend.install()


async def test_npm_error_is_reported_with_its_folder(frontend: Frontend) -> None:
    (frontend.source / "package.json").write_text("{")
    with pytest.raises(
        SetupError, match=r"`npm ci .*` failed in .*/frontend: fix the errors above"
    ):
        await frontend.install()


async def test_assets_are_built_when_their_sources_change(
    frontend: Frontend, tmp_path: Path
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    manifest = frontend.source / "dist" / ".vite" / "manifest.json"
    await frontend.install()

    assert await frontend.build(templates)
    assert not await frontend.build(templates)
    (templates / "__pycache__").mkdir()
    (templates / "__pycache__" / "page.pyc").touch()
    assert not await frontend.build(templates)
    (templates / "page.html").write_text("<p class=new>")
    assert await frontend.build(templates)
    assert manifest.read_text() == "built;built;"
    manifest.unlink()
    assert await frontend.build(templates)


@MORE
async def test_build_error_is_reported_with_its_log(frontend: Frontend) -> None:
    await frontend.install()
    (frontend.source / "build.cjs").write_text("throw new Error('no such color')")
    for _ in range(2):
        with pytest.raises(SetupError, match=r"`npm run build` failed .* \(also in .*build\.log\)"):
            await frontend.build()
    assert "no such color" in (frontend.supervisor.logs / "build.log").read_text()


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("18.20.0", False),
        ("20.18.9", False),
        ("20.20.2", False),
        ("21.7.0", False),
        ("22.11.0", False),
        ("22.12.0", True),
        ("24.19.0", True),
        ("", False),
        ("nonsense", False),
    ],
)
def test_node_older_than_its_end_of_life_is_not_used(version: str, *, supported: bool) -> None:
    assert is_supported(version) is supported


def test_node_without_npm_beside_it_is_not_used(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: two programs that are one installation, looked up one by one."""
    for name in ("node", "npm"):
        program = tmp_path / f"{name}s" / name
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho v24.0.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'nodes'}{os.pathsep}{tmp_path / 'npms'}")
    monkeypatch.setattr(wheels, "platform_key", lambda: "abacus")
    with pytest.raises(SetupError, match="install Node"):
        find_node(tmp_path / "embedded", guard)


@pytest.fixture
def _old_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a Node that is too old first on PATH."""
    programs = tmp_path / "old"
    programs.mkdir()
    for name in ("node", "npm"):
        (programs / name).write_text("#!/bin/sh\necho v18.1.0\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("_old_node")
def test_missing_node_is_reported_with_a_remedy(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "platform_key", lambda: "abacus")
    with pytest.raises(SetupError, match=r"platform \(abacus\): install Node 22.12 or newer"):
        find_node(tmp_path / "embedded", guard)


@pytest.mark.stack
@pytest.mark.xdist_group("stack")
@pytest.mark.usefixtures("_old_node")
def test_embedded_node_and_npm_run(guard: Guard) -> None:
    node = find_node(settings.DATA_DIR / "embedded", guard)
    assert str(node) == f"Node {wheels.NODE.version} (embedded)"
    environment = os.environ | {"PATH": f"{node.directory}:/usr/bin:/bin"}
    done = guard.run([str(node.directory / "npm"), "--version"], environment=environment)
    assert done.returncode == 0, done.stdout
    done = guard.run([str(node.directory / "node"), "--version"], environment=environment)
    assert done.stdout == f"v{node.version}\n"
