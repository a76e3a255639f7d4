import logging
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, cast

import pytest
import redis
from celery import current_app
from django.core.cache import cache
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import AsyncClient, Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from dovetail.cache.valkey import ValkeyCache
from dovetail.http.health import CHECKS, REPORTED, reported
from dovetail.http.migrations import due_migrations
from dovetail.http.reported import ReportedCheck


@pytest.fixture
def unreachable_url() -> str:
    """Return the URL of a port on which no server listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"redis://user:secret@127.0.0.1:{unused.getsockname()[1]}/0"


@pytest.fixture
def broker_url() -> Iterator[Callable[[str], None]]:
    """Return a function that sets the URL of the broker."""
    conf: Any = current_app.conf
    url = conf.broker_write_url

    def use(url: str) -> None:
        conf.broker_write_url = url

    yield use
    conf.broker_write_url = url


@pytest.fixture
def unavailable_broker(unreachable_url: str, broker_url: Callable[[str], None]) -> None:
    broker_url(unreachable_url)


@pytest.fixture(autouse=True)
def _no_known_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test see what an earlier one has found."""
    for name, check in REPORTED.items():
        monkeypatch.setitem(reported, name, ReportedCheck(name, check))


def test_livez_queries_no_service(client: Client) -> None:
    # Without the django_db mark, a query fails the test.
    response = client.get("/livez", headers={"host": "10.1.2.3"})

    assert response.status_code == HTTPStatus.OK
    assert response.content == b"ok"
    assert response["Cache-Control"] == "no-store"


async def test_livez_answers_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/livez")

    assert response.content == b"ok"


@pytest.mark.django_db(transaction=True)
def test_readyz_reports_every_service(client: Client) -> None:
    response = client.get("/readyz", headers={"host": "10.1.2.3"})

    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "cache": "ok", "broker": "ok"},
    }
    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
async def test_readyz_answers_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/readyz")

    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unavailable_broker")
def test_broker_is_reported_but_does_not_gate_readiness(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a failure of what pages can do without takes every process out of service."""
    with caplog.at_level(logging.WARNING):
        response = client.get("/readyz")

    assert response.status_code == HTTPStatus.OK
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "cache": "ok", "broker": "unavailable"},
    }
    assert "Readiness check failed for broker; reporting it" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_cache_is_reported_but_does_not_gate_readiness(
    client: Client, unreachable_url: str, settings: Settings
) -> None:
    away = settings.CACHES["default"] | {"LOCATION": unreachable_url}
    settings.CACHES = settings.CACHES | {"default": away}

    response = client.get("/readyz")

    assert response.status_code == HTTPStatus.OK
    assert response.json()["checks"]["cache"] == "unavailable"


@pytest.mark.django_db(transaction=True)
def test_broker_that_never_answers_holds_up_no_probe(
    client: Client, broker_url: Callable[[str], None]
) -> None:
    """Kind: a hanging service uses up the threads that the check of the database needs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker_url(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        threads = threading.active_count()
        answers = [client.get("/readyz") for _ in range(4)]
        more = threading.active_count() - threads

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    assert {answer.json()["checks"]["database"] for answer in answers} == {"ok"}
    assert more <= 2, "Each probe leaves a thread behind"


async def test_check_is_not_started_again_while_it_runs() -> None:
    started, release = [], threading.Event()

    def check() -> None:
        started.append(1)
        release.wait()

    reported = ReportedCheck("broker", check)
    reported.passed = True  # as known from an earlier probe

    assert [await reported.passes() for _ in range(2)] == [True, True]
    assert len(started) == 1

    release.set()
    assert await reported.passes()


@pytest.mark.django_db(transaction=True)
def test_database_gates_readiness(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "NAME", "no_such_database")
        # The checks run in other threads, each with its own connection.
        patch.setitem(connections.settings["default"], "NAME", "no_such_database")
        response = client.get("/readyz")

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json() == {
        "status": "unavailable",
        "checks": {"database": "unavailable", "cache": "ok", "broker": "ok"},
    }


def test_due_migration_gates_readiness_in_production(
    client: Client, settings: Settings, due_migration: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a process that says it is ready while pages fail for want of a migration."""
    settings.READINESS_NEEDS_MIGRATIONS = True

    with caplog.at_level(logging.WARNING):
        response = client.get("/readyz")

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json()["status"] == "unavailable"
    assert response.json()["checks"]["migrations"] == "due"
    assert due_migration in caplog.text
    assert "manage.py migrate" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_migrated_database_is_ready(client: Client, settings: Settings) -> None:
    settings.READINESS_NEEDS_MIGRATIONS = True
    MigrationRecorder(connection).record_applied("articles", "9999_of_a_newer_version")

    response = client.get("/readyz")

    assert response.status_code == HTTPStatus.OK
    assert response.json()["checks"]["migrations"] == "ok"
    MigrationRecorder(connection).record_unapplied("articles", "9999_of_a_newer_version")


def test_due_migrations_take_one_query(
    due_migration: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    due_migrations()  # reads the migrations on disk
    with django_assert_num_queries(1):
        assert due_migrations() == [due_migration]


@pytest.mark.django_db(transaction=True)
def test_all_migrations_of_an_empty_database_are_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO hidden")
    try:
        assert "articles.0001_initial" in due_migrations()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO django_migrations")


def test_cache_check_fails_if_the_cache_is_unavailable(
    unreachable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cast("ValkeyCache", cache)._cache  # noqa: SLF001
    monkeypatch.setattr(client, "_servers", [unreachable_url])

    with pytest.raises(redis.ConnectionError):
        CHECKS["cache"]()


@pytest.mark.django_db(transaction=True)
def test_database_check_fails_if_the_database_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")

    with pytest.raises(Exception, match="no_such_database"):
        CHECKS["database"]()
