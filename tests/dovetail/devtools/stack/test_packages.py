"""Installing and building are judged by their results, and npm's configuration does not matter.

The kind: a stamp of intent instead of a result. With NODE_ENV=production, Vite was missing, and it
stayed so after the setting was gone.
"""

import io
import json
import tarfile
from pathlib import Path

import pytest

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import packages
from dovetail.devtools.stack.frontend import Frontend
from tests.dovetail.devtools.stack.test_frontend import BUILD, MORE, frontend

__all__ = ["frontend"]  # a fixture

NATIVE = {"os": ["linux", "darwin"], "cpu": ["x64", "arm64"], "optional": True}


@pytest.fixture
def project(frontend: Frontend) -> Frontend:
    """Return a front end that needs a package of each kind, from files."""
    kinds: dict[str, dict[str, object]] = {
        "runtime": {},
        "tool": {"dev": True, "bin": {"make": "package.json"}},
        "native": NATIVE,
        "elsewhere": {"optional": True, "os": ["aix"], "cpu": ["ppc64"]},
    }
    groups = {"runtime": "dependencies", "tool": "devDependencies"}
    package: dict[str, object] = {
        "name": "toy",
        "version": "1.0.0",
        "scripts": {"build": "node build.cjs"},
    }
    locked: dict[str, object] = {}
    for name, fields in kinds.items():
        make_archive(frontend.source / f"{name}.tgz", name, fields)
        group = package.setdefault(groups.get(name, "optionalDependencies"), {})
        assert isinstance(group, dict)
        group[name] = f"file:{name}.tgz"
        where = f"file:{name}.tgz"
        locked[f"node_modules/{name}"] = {"version": "1.0.0", "resolved": where, **fields}
    lock = {"name": "toy", "version": "1.0.0", "lockfileVersion": 3}
    (frontend.source / "package.json").write_text(json.dumps(package))
    (frontend.source / "package-lock.json").write_text(
        json.dumps(lock | {"packages": {"": package, **locked}})
    )
    return frontend


def make_archive(path: Path, name: str, fields: dict[str, object]) -> None:
    kept = {key: fields[key] for key in ("os", "cpu", "bin") if key in fields}
    content = json.dumps({"name": name, "version": "1.0.0", **kept}).encode()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def installed(frontend: Frontend) -> set[str]:
    modules = frontend.source / "node_modules"
    return {path.name for path in modules.iterdir() if (path / "package.json").exists()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("npm_config_omit", "dev"),
        pytest.param("npm_config_dry_run", "true", marks=MORE),
        pytest.param("NODE_ENV", "production", marks=MORE),
        pytest.param("npm_config_omit", "optional", marks=MORE),
        pytest.param("npm_config_production", "true", marks=MORE),
        pytest.param("npm_config_only", "prod", marks=MORE),
        pytest.param("npm_config_package_lock_only", "true", marks=MORE),
        pytest.param("npm_config_install_strategy", "linked", marks=MORE),
        pytest.param("npm_config_workspaces", "true", marks=MORE),
        pytest.param("npm_config_bin_links", "false", marks=MORE),
    ],
)
async def test_everything_is_installed_whatever_npm_is_configured_to_leave_out(
    project: Frontend, name: str, value: str
) -> None:
    project.environment[name] = value
    assert await project.install()
    assert installed(project) == {"runtime", "tool", "native"}
    assert (project.source / "node_modules" / ".bin" / "make").exists()
    assert not await project.install()


async def test_everything_is_installed_whatever_npmrc_leaves_out(project: Frontend) -> None:
    (project.source / ".npmrc").write_text("omit[]=dev\nomit[]=optional\ndry-run=true\n")
    assert await project.install()
    assert installed(project) == {"runtime", "tool", "native"}


@pytest.mark.parametrize(
    "name", ["runtime", pytest.param("tool", marks=MORE), pytest.param("native", marks=MORE)]
)
async def test_package_that_is_gone_is_installed_again_in_spite_of_the_stamp(
    project: Frontend, name: str
) -> None:
    """`npm prune --omit=dev` leaves the stamp."""
    await project.install()
    (project.source / "node_modules" / name / "package.json").unlink()
    assert await project.install()
    assert installed(project) == {"runtime", "tool", "native"}


@MORE
async def test_command_that_is_gone_is_installed_again(project: Frontend) -> None:
    await project.install()
    command = project.source / "node_modules" / ".bin" / "make"
    command.unlink()
    assert await project.install()
    assert command.exists()


@pytest.mark.parametrize("name", ["vite", "@tailwindcss/cli"])
def test_commands_are_looked_for_where_npm_links_them(tmp_path: Path, name: str) -> None:
    path = f"node_modules/{name}"
    package = {"version": "1.0.0", "bin": {"make": "make.js"}}
    lock = json.dumps({"packages": {path: package}}).encode()
    (tmp_path / path).mkdir(parents=True)
    (tmp_path / path / "package.json").write_text(json.dumps(package))
    assert packages.missing(tmp_path, lock) == [name]
    (tmp_path / "node_modules" / ".bin").mkdir()
    (tmp_path / "node_modules" / ".bin" / "make").touch()
    assert packages.missing(tmp_path, lock) == []


@MORE
async def test_package_of_another_version_is_replaced(project: Frontend) -> None:
    await project.install()
    path = project.source / "node_modules" / "tool" / "package.json"
    path.write_text(json.dumps({"name": "tool", "version": "0.9.0"}))
    assert await project.install()
    assert json.loads(path.read_text())["version"] == "1.0.0"


@MORE
async def test_success_without_a_result_is_an_error_and_not_stamped(
    project: Frontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the next setting is that leaves packages out: it is named as such."""
    monkeypatch.setattr(packages, "OPTIONS", ("--omit=dev",))
    for _ in range(2):
        with pytest.raises(SetupError, match=r"left out tool: .*`npm config list` in .*/frontend"):
            await project.install()
    monkeypatch.undo()
    assert await project.install()


@pytest.mark.parametrize(
    "damage", ["remove", pytest.param("empty", marks=MORE), pytest.param("add", marks=MORE)]
)
async def test_assets_are_built_again_if_the_result_is_not_what_was_built(
    frontend: Frontend, damage: str
) -> None:
    (frontend.source / "build.cjs").write_text(f"{BUILD};fs.writeFileSync('dist/app.js', 'app')")
    await frontend.install()
    assert await frontend.build()
    assert not await frontend.build()
    asset = frontend.source / "dist" / "app.js"
    if damage == "remove":
        asset.unlink()
    elif damage == "empty":
        asset.write_text("")
    else:
        asset.with_name("left-over.js").touch()
    assert await frontend.build()
    assert asset.read_text() == "app"


@MORE
async def test_build_without_a_result_is_an_error(frontend: Frontend) -> None:
    (frontend.source / "build.cjs").write_text("")
    await frontend.install()
    for _ in range(2):
        with pytest.raises(SetupError, match=r"reported success but wrote no .*manifest\.json"):
            await frontend.build()
