"""A web server without its static files says so instead of failing every page."""

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from dovetail.http.collected import missing_files, uncollected_files
from dovetail.http.static import StaticFilesMiddleware


@pytest.fixture(autouse=True)
def built(tmp_path: Path, settings: Settings) -> Path:
    """Use a built front end and the storage of production; nothing is collected yet."""
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / ".vite").mkdir()
    build(dist, "application-Aaaaaaaa.js")
    settings.STATICFILES_DIRS = [dist]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_USE_FINDERS = False
    settings.DJANGO_VITE = {"default": {"manifest_path": dist / ".vite" / "manifest.json"}}
    storage = {"BACKEND": "dovetail.http.static.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
    return dist


def build(dist: Path, name: str) -> None:
    (dist / "assets" / name).write_text("console.log(1)")
    manifest = {"src/js/application.ts": {"file": f"assets/{name}", "isEntry": True}}
    (dist / ".vite" / "manifest.json").write_text(json.dumps(manifest))


def collect() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)


def test_server_does_not_start_before_files_are_collected() -> None:
    """Kind: a step of the deployment was left out, and each page answers 500."""
    with pytest.raises(ImproperlyConfigured) as error:
        StaticFilesMiddleware(lambda _request: HttpResponse())

    sentence = str(error.value)
    assert sentence.startswith("The static files are not collected: ")
    assert "collectstatic" in sentence
    assert "\n" not in sentence


def test_server_starts_with_collected_files() -> None:
    collect()

    StaticFilesMiddleware(lambda _request: HttpResponse())

    assert missing_files() is None
    assert uncollected_files() == []


def test_files_of_an_older_build_are_not_enough(built: Path) -> None:
    collect()
    build(built, "application-Bbbbbbbb.js")

    problem, remedy = missing_files() or ("", "")

    assert "assets/application-Bbbbbbbb.js is built but not collected" in problem
    assert "collectstatic" in remedy


@pytest.mark.parametrize("content", [None, "", "[1]", "{", '{"a": {}}', '{"a": 1}'])
def test_front_end_that_is_not_built_is_reported(built: Path, content: str | None) -> None:
    collect()
    manifest = built / ".vite" / "manifest.json"
    manifest.unlink() if content is None else manifest.write_text(content)

    problem, remedy = missing_files() or ("", "")

    assert problem.startswith("The front end is not built: ")
    assert "npm run build" in remedy


@pytest.mark.parametrize("content", ["{", '{"version": "9"}'])
def test_broken_manifest_is_reported(settings: Settings, content: str) -> None:
    Path(settings.STATIC_ROOT).mkdir()
    (Path(settings.STATIC_ROOT) / "staticfiles.json").write_text(content)

    problem, remedy = missing_files() or ("", "")

    assert str(settings.STATIC_ROOT) in problem
    assert "collectstatic" in remedy


def test_new_files_are_found(built: Path) -> None:
    collect()
    (built / "robots.txt").write_text("User-agent: *")

    assert missing_files() is None
    assert uncollected_files() == ["robots.txt"]


def test_storage_without_a_manifest_needs_nothing(settings: Settings) -> None:
    storage = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}

    assert missing_files() is None
    assert uncollected_files() == []
