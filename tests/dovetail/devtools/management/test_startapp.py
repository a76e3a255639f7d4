import importlib
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings as project_settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

import apps as project_apps


@pytest.fixture
def folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the `apps` folder of another project, from which apps can be imported too."""
    folder = tmp_path / "project" / "apps"
    folder.mkdir(parents=True)
    settings.PROJECT_DIR = folder.parent
    monkeypatch.setattr(project_apps, "__path__", [*project_apps.__path__, str(folder)])
    monkeypatch.chdir(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("apps.shop")]:
        del sys.modules[name]


def startapp(*arguments: str) -> str:
    output = StringIO()
    call_command("startapp", *arguments, stdout=output)
    return output.getvalue()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_startapp_creates_the_app_in_the_apps_folder_from_any_folder(folder: Path) -> None:
    output = startapp("shop")

    assert files_in(folder.parents[1]) == {
        f"project/apps/shop/{name}.py"
        for name in (
            *("__init__", "admin", "apps", "models", "urls", "views", "migrations/__init__"),
        )
    }
    assert str(folder / "shop") in output
    assert 'Add "apps.shop" to config/settings/parts/apps.py' in output


def test_new_app_can_be_installed(folder: Path, settings: Settings) -> None:
    startapp("shop")
    assert folder.exists()

    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "apps.shop"]

    assert type(apps.get_app_config("shop")).__name__ == "ShopConfig"
    assert importlib.import_module("apps.shop.urls").app_name == "shop"
    assert importlib.import_module("apps.shop.migrations").__file__


def test_new_app_passes_the_linter(folder: Path) -> None:
    startapp("shop")

    config = project_settings.BASE_DIR / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", config, folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("users", "An app is already called users"),
        ("sessions", "An app is already called sessions"),
        ("../shop", "is not a valid app name"),
        ("2shop", "is not a valid app name"),
        ("json", "conflicts with the name of an existing Python module"),
    ],
)
def test_unusable_name_is_refused_and_leaves_no_folder(
    folder: Path, name: str, reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        startapp(name)

    assert list(folder.iterdir()) == []
    assert list(folder.parent.iterdir()) == [folder]


def test_existing_folder_is_left_alone(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "models.py").write_text("# mine\n")

    with pytest.raises(CommandError, match="already exists: choose another name"):
        startapp("shop")

    assert (folder / "shop" / "models.py").read_text() == "# mine\n"


def test_given_folder_is_used_as_django_does(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()

    startapp("shop", str(tmp_path / "elsewhere"))

    assert (tmp_path / "elsewhere" / "apps.py").exists()
    assert list(folder.iterdir()) == []
