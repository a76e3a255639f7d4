"""`check --deploy` asks the real services, and says what is wrong with them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.postgres.signals import get_hstore_oids
from django.core import checks
from django.core.checks.registry import registry
from django.db import connection, connections
from pytest_django.fixtures import Settings

from dovetail import service_checks
from dovetail.database import capacity
from dovetail.service_checks import (
    check_broker,
    check_cookies,
    check_database,
    check_media_is_served,
    check_replica,
    check_shared_caches,
    check_storage,
)

ALL = [
    *(check_broker, check_cookies, check_database, check_media_is_served, check_shared_caches),
    *(check_replica, check_storage),
]
NOWHERE = "127.0.0.1:1"  # a port that nothing listens on


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    for message in messages:
        assert message.hint, message  # each has its remedy
    return [message.id for message in messages]


@pytest.fixture
def run() -> Callable[..., None]:
    """Return a function that runs statements with the rights of the server's administrator."""

    def run(*statements: str) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return run


@pytest.mark.parametrize("check", ALL)
def test_check_runs_with_deploy_only(check: Any) -> None:
    assert check in registry.get_checks(include_deployment_checks=True)
    assert check not in registry.get_checks()


@pytest.mark.django_db(transaction=True)
def test_database_that_fits_is_not_reported() -> None:
    assert check_database() == []


@pytest.mark.django_db(transaction=True)
def test_replica_that_does_not_answer_is_reported() -> None:
    """Kind: pages that fail, while the probe says that all is well."""
    assert check_replica() == []
    with replica():
        assert check_replica() == []
    with replica(HOST="127.0.0.1", PORT="1"):
        assert ids(check_replica()) == ["dovetail.W124"]


@contextmanager
def replica(**changes: str) -> Iterator[None]:
    connections.settings["replica"] = connections.settings["default"] | changes
    try:
        yield
    finally:
        del connections.settings["replica"]


@pytest.mark.django_db(transaction=True)
def test_more_connections_than_the_database_allows_are_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: "too many clients already", when most people use the site."""
    settings.WEB_CONCURRENCY = 40
    options = {"pool": {"max_size": 8}}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    pools: dict[str, object] = getattr(connection, "_connection_pools")  # noqa: B009
    cached: Any = get_hstore_oids
    cached.cache_clear()  # for which a new connection would use another by its alias

    [message] = check_database()

    assert ids([message]) == ["dovetail.W115"]
    assert "40 web processes with 8 each" in message.msg
    assert connection.alias not in pools  # it would go on to connect in the background


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limited", ["DATABASE", "ROLE"])
def test_connections_that_a_role_or_a_database_may_have_count(
    run: Callable[..., None], limited: str
) -> None:
    name = connection.settings_dict["NAME" if limited == "DATABASE" else "USER"]
    with capacity.probe() as probe:
        assert capacity.available(probe) > 50
    run(f'ALTER {limited} "{name}" CONNECTION LIMIT 50')
    try:
        with capacity.probe() as probe:
            assert capacity.available(probe) == 50
    finally:
        run(f'ALTER {limited} "{name}" CONNECTION LIMIT -1')


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("ahead", "reported"), [(60, True), (-60, True), (1, False)])
def test_clock_that_differs_is_reported(
    monkeypatch: pytest.MonkeyPatch, ahead: int, reported: bool
) -> None:
    """Kind: codes and links that have ended before they arrive."""
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() + ahead)

    assert ids(check_database()) == (["dovetail.W116"] if reported else [])


@pytest.mark.django_db(transaction=True)
def test_library_that_is_not_loaded_is_reported(
    run: Callable[..., None], settings: Settings
) -> None:
    """An extension of that name, on a server that has not loaded ParadeDB's library."""
    with capacity.probe() as probe, probe.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_settings WHERE name LIKE 'paradedb.%'")
        assert cursor.fetchone() != (0,), "the tests' server has not loaded pg_search"

    class Unloaded:
        """The connection, of which the parameters of the library are hidden."""

        def cursor(self) -> Any:
            cursor = connection.cursor()
            cursor.execute(
                "CREATE TEMPORARY VIEW pg_settings AS"
                " SELECT * FROM pg_catalog.pg_settings WHERE name NOT LIKE 'paradedb.%'"
            )
            cursor.execute("SET search_path = pg_temp, public, pg_catalog")
            return cursor

    try:
        settings.SEARCH_ENGINE = "auto"
        check: Any = service_checks._check_library  # noqa: SLF001 - it needs another server
        assert ids(check(Unloaded())) == ["dovetail.W117"]
        settings.SEARCH_ENGINE = "postgres"
        assert check(connection) == []
    finally:
        run("RESET search_path", "DROP VIEW pg_temp.pg_settings")


@pytest.mark.django_db(transaction=True)
def test_unavailable_database_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")

    [message] = check_database()

    assert ids([message]) == ["dovetail.W114"]
    assert "not checked" in message.msg


@pytest.mark.xdist_group("waits")
def test_service_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a deployment that hangs in its check."""
    monkeypatch.setattr(service_checks, "LIMIT", 0.2)
    ended = threading.Event()

    with pytest.raises(TimeoutError, match=r"no answer in 0\.2 seconds"):
        service_checks._within_limit(ended.wait)  # noqa: SLF001 - no service hangs on demand

    ended.set()


def test_shared_caches_are_not_reported() -> None:
    assert check_shared_caches() == []


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_cache_of_one_process_is_reported(settings: Settings, backend: str) -> None:
    """Kind: limits of guesses that each process counts for itself."""
    entry = {"BACKEND": f"django.core.cache.backends.{backend}"}
    settings.CACHES = settings.CACHES | {"other": entry, "same": entry}

    [message] = check_shared_caches()

    assert ids([message]) == ["dovetail.W118"]
    assert "'other'" in message.msg


def test_unavailable_cache_is_reported(settings: Settings) -> None:
    down = settings.CACHES["default"] | {"LOCATION": f"redis://{NOWHERE}/0"}
    settings.CACHES = settings.CACHES | {"other": down}

    assert ids(check_shared_caches()) == ["dovetail.W119"]


@pytest.fixture
def conf() -> Iterator[Any]:
    """Return Celery's configuration, which is put back in the end."""
    conf = current_app.conf
    before = {name: conf[name] for name in ("task_always_eager", "broker_write_url")}
    conf.task_always_eager = False
    yield conf
    conf.update(before)


def test_broker_is_asked(conf: Any) -> None:
    assert check_broker() == []

    conf.broker_write_url = f"redis://{NOWHERE}/1"
    assert ids(check_broker()) == ["dovetail.W120"]


def test_file_is_written_and_deleted(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"

    assert check_storage() == []
    assert list((tmp_path / "media").iterdir()) == []


def test_uploads_that_cannot_be_written_are_reported(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "volume").write_text("a file")
    settings.MEDIA_ROOT = tmp_path / "volume" / "media"

    assert ids(check_storage()) == ["dovetail.W103"]


def test_media_that_no_url_serves_is_reported(settings: Settings) -> None:
    assert check_media_is_served() == []

    settings.MEDIA_URL = "/files/"
    assert ids(check_media_is_served()) == ["dovetail.W121"]

    settings.MEDIA_URL = "https://files.example/"
    assert check_media_is_served() == []


def test_cookies_that_other_hosts_can_set_are_reported(settings: Settings) -> None:
    for name in ("SESSION", "CSRF", "LANGUAGE", "MESSAGE", "THEME", "DEVICE", "MFA_TRUST"):
        setattr(settings, f"{name}_COOKIE_NAME", f"__Host-{name}")
    assert check_cookies() == []

    settings.DEVICE_COOKIE_NAME = "device"
    [message] = check_cookies()
    assert ids([message]) == ["dovetail.W122"]
    assert message.msg.startswith("DEVICE_COOKIE_NAME:")
