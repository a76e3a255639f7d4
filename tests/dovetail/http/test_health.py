import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from dovetail.devtools.embedded.testing import free_port
from dovetail.http import health, shared
from dovetail.http.health import CHECKS, REPORTED, readiness, reported, required
from dovetail.http.migrations import due_migrations
from dovetail.http.reported import ReportedCheck
from dovetail.http.shared import SharedCheck


@pytest.fixture
def unreachable_url() -> str:
    """Return the URL of a port on which no server listens."""
    return f"redis://user:secret@127.0.0.1:{free_port()}/0"


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


@pytest.mark.xdist_group("waits")
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


class Gate:
    """A check that waits until it is released.

    Attributes:
        started: the number of times that it has been started.
        error: raised at the end, unless it is None.
    """

    def __init__(self) -> None:
        self.started = 0
        self.running = self.most = 0
        self.error: Exception | None = None
        self.release = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.started += 1
            self.running += 1
            self.most = max(self.most, self.running)
        self.release.wait()
        with self._lock:
            self.running -= 1
        if self.error:
            raise self.error


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Replace the check of the database with one that waits."""
    gate = Gate()
    check = SharedCheck("database", gate, consequence="answering 503")
    monkeypatch.setitem(required, "database", check)
    yield gate
    gate.release.set()


async def until_they_ask() -> None:
    """Let the probes, and the tasks that they start, run up to where they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_probes_at_the_same_time_share_one_check(gate: Gate) -> None:
    """Kind: a page for anyone that costs a thread and a connection to the database each time."""
    probes = [asyncio.create_task(readiness()) for _ in range(50)]
    await until_they_ask()
    gate.release.set()
    answers = await asyncio.gather(*probes)

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    assert (gate.started, gate.most) == (1, 1)


def test_probes_of_several_threads_share_one_check(gate: Gate) -> None:
    check = required["database"]
    with ThreadPoolExecutor(20) as threads:
        results = set(threads.map(lambda _: check.result(), range(20)))
    gate.release.set()

    [result] = results
    assert result.result() is None
    assert gate.started == 1


async def test_no_result_is_kept_for_later_probes(gate: Gate) -> None:
    """Kind: an answer from before the service failed, or recovered."""
    gate.release.set()
    statuses = []
    for error in (None, ConnectionError("gone"), None):
        gate.error = error
        statuses.append((await readiness()).status_code)

    assert statuses == [HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.OK]
    assert gate.started == 3


async def test_probe_that_gives_up_ends_no_check_of_others(gate: Gate) -> None:
    impatient, patient = (asyncio.create_task(readiness()) for _ in range(2))
    await until_they_ask()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    gate.release.set()

    assert (await patient).status_code == HTTPStatus.OK
    assert gate.started == 1


async def test_check_that_hangs_does_not_hide_that_the_service_is_back(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: waiting for an answer that never comes, to say that the service is unavailable."""
    monkeypatch.setattr(health, "TIMEOUT", 0.01)
    assert (await readiness()).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await readiness()).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert gate.started == 1

    monkeypatch.setattr(health, "TIMEOUT", 60)
    monkeypatch.setattr(shared, "GIVEN_UP_AFTER", 0)
    release, gate.release = gate.release, threading.Event()
    gate.release.set()
    assert (await readiness()).status_code == HTTPStatus.OK
    assert gate.started == 2
    release.set()


def test_failure_is_logged_once_for_all_probes(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.error = ConnectionError("no route to db.internal")
    results = [required["database"].result() for _ in range(20)]
    with caplog.at_level(logging.WARNING):
        gate.release.set()
        for result in results:
            assert isinstance(result.exception(), ConnectionError)

    assert caplog.text.count("no route to db.internal") == 1
    assert "answering 503" in caplog.text


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
