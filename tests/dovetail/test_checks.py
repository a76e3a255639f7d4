"""`check --deploy` names what breaks in production although every setting is valid."""

from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.checks.registry import registry
from django.db import connection
from pytest_django.fixtures import Settings

from dovetail.checks import (
    check_caches,
    check_migrations,
    check_pool,
    check_proxies,
    check_static_files,
    check_uploads,
)


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


@pytest.mark.parametrize(
    "check",
    [
        *(check_caches, check_migrations, check_pool, check_proxies, check_static_files),
        check_uploads,
    ],
)
def test_check_runs_with_deploy_only(check: Any) -> None:
    assert check in registry.get_checks(include_deployment_checks=True)
    assert check not in registry.get_checks()


def test_redirect_without_a_trusted_proxy_is_reported(settings: Settings) -> None:
    """Kind: a default that cannot work in the documented way to deploy."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = None

    [message] = check_proxies()

    assert message.id == "dovetail.W101"
    assert "Set TRUSTED_PROXY_COUNT" in str(message.hint)

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert check_proxies() == []


@pytest.mark.parametrize(
    "backend", ["redis.RedisCache", "memcached.PyMemcacheCache", "db.DatabaseCache"]
)
def test_cache_that_unpickles_is_reported(settings: Settings, backend: str) -> None:
    """Kind: another cache that is added with Django's own backend."""
    assert check_caches() == []

    entry = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": "127.0.0.1:9"}
    settings.CACHES = settings.CACHES | {"other": entry}

    [message] = check_caches()
    assert message.id == "dovetail.W107"
    assert "CACHES['other']['BACKEND']" in str(message.hint)


def test_uploads_inside_the_application_are_reported(settings: Settings, tmp_path: Path) -> None:
    """Kind: data that is gone after the next deployment, and nothing says so."""
    settings.BASE_DIR = tmp_path / "app"
    settings.MEDIA_ROOT = tmp_path / "app" / ".data" / "media"

    [message] = check_uploads()

    assert message.id == "dovetail.W102"
    assert "DATA_DIR" in str(message.hint)
    assert "S3" in str(message.hint)

    settings.MEDIA_ROOT = tmp_path / "volume" / "media"
    assert check_uploads() == []


def test_uploads_stored_elsewhere_need_no_folder(settings: Settings) -> None:
    settings.MEDIA_ROOT = settings.BASE_DIR / ".data"
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = settings.STORAGES | {"default": memory}

    assert check_uploads() == []


@pytest.mark.parametrize(
    ("sources", "reported"),
    [
        (["'self'", "data:"], ["dovetail.W106"]),
        (["'self'", "https://bucket.example"], []),
        (["*.example"], []),
    ],
)
def test_uploads_that_the_content_security_policy_blocks_are_reported(
    settings: Settings, sources: list[str], reported: list[str]
) -> None:
    settings.MEDIA_URL = "https://bucket.example/"
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = settings.STORAGES | {"default": memory}
    settings.SECURE_CSP = settings.SECURE_CSP | {"img-src": sources}

    assert ids(check_uploads()) == reported


@pytest.fixture
def production_files(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    (tmp_path / "source").mkdir()
    storage = {"BACKEND": "dovetail.http.static.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}


@pytest.mark.usefixtures("production_files")
def test_static_files_that_are_not_collected_are_an_error() -> None:
    """Kind: a step of the deployment was left out, and each page answers 500."""
    [message] = check_static_files()

    assert message.id == "dovetail.E101"
    assert message.is_serious()
    assert "collectstatic" in str(message.hint)


@pytest.mark.usefixtures("production_files")
def test_new_static_files_are_reported(tmp_path: Path) -> None:
    manifest = '{"version": "1.1", "paths": {"logo.svg": "logo.1.svg"}, "hash": ""}'
    (tmp_path / "staticfiles.json").write_text(manifest)
    assert check_static_files() == []

    (tmp_path / "source" / "robots.txt").write_text("User-agent: *")
    assert ids(check_static_files()) == ["dovetail.W105"]


def test_due_migration_is_reported(due_migration: str) -> None:
    """Kind: code that is newer than the database, which pages notice first."""
    [message] = check_migrations()

    assert message.id == "dovetail.W104"
    assert due_migration in message.msg
    assert "manage.py migrate" in str(message.hint)


@pytest.mark.django_db(transaction=True)
def test_migrated_database_is_not_reported() -> None:
    assert check_migrations() == []


@pytest.mark.django_db(transaction=True)
def test_unavailable_database_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is checked where it is built, too."""
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")

    assert check_migrations() == []


@pytest.mark.parametrize(("size", "expected"), [(3, ["dovetail.W123"]), (4, []), (None, [])])
def test_pool_that_is_too_small_for_the_threads_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, size: int | None, expected: list[str]
) -> None:
    settings.WEB_THREADS = 4
    options = {"pool": {"max_size": size}} if size else {}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)

    assert ids(check_pool()) == expected
