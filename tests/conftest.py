"""What every test stands on: services of its own and a database a worker."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from config import env
from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey
from dovetail.devtools.errors import SetupError

BROKER_DATABASE = 15  # the last one of a Valkey server's
SERVICES = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start what the environment does not name, once a session; workers inherit the addresses."""
    if hasattr(config, "workerinput"):
        _use_a_cache_of_its_own(config.workerinput["workerid"])
        return
    if config.option.collectonly or config.option.help:
        return
    services = config.stash[SERVICES] = ExitStack()
    try:
        if not env.is_set("DATABASE_URL"):
            url = services.enter_context(throwaway_postgres(settings.DATA_DIR))
            os.environ["DATABASE_URL"] = url
        if not env.is_set("VALKEY_URL"):
            url = services.enter_context(throwaway_valkey())
            os.environ["VALKEY_URL"] = f"{url}/0"
            os.environ.setdefault("CELERY_BROKER_URL", f"{url}/{BROKER_DATABASE}")
    except SetupError as error:
        raise pytest.UsageError(str(error)) from error
    # Without workers the settings are those of this process, read before it came here.
    connection.settings_dict.update(env.database("DATABASE_URL"))
    settings.CACHES["default"]["LOCATION"] = os.environ["VALKEY_URL"]


def pytest_unconfigure(config: pytest.Config) -> None:
    if services := config.stash.get(SERVICES, None):
        services.close()


def _use_a_cache_of_its_own(worker: str) -> None:
    """Move a worker to a database of the server where no other one clears what it counts."""
    server = str(settings.CACHES["default"]["LOCATION"]).rpartition("/")[0]
    number = int(worker.removeprefix("gw")) % BROKER_DATABASE
    settings.CACHES["default"]["LOCATION"] = f"{server}/{number}"


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    testrun_uid: str,
) -> Iterator[None]:
    """Migrate one database a session and copy it for each worker, as `manage.py test` does."""
    creation: Any = connection.creation
    name = connection.settings_dict["NAME"]
    template = f"test_{name}_{testrun_uid[:8]}"
    connection.settings_dict["TEST"]["NAME"] = template
    lock = tmp_path_factory.getbasetemp().parent / "template.lock"
    with django_db_blocker.unblock():
        with _one_at_a_time(lock):
            if not _exists(template):
                creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
                connection.close()
            connection.settings_dict["NAME"] = template
            creation.clone_test_db(suffix=worker_id, verbosity=0, autoclobber=True)
        connection.close()
        copy = creation.get_test_db_clone_settings(worker_id)["NAME"]
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = copy
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = name
        with _one_at_a_time(lock), creation._nodb_cursor() as cursor:  # noqa: SLF001
            cursor.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
            cursor.execute(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')


def _exists(database: str) -> bool:
    creation: Any = connection.creation
    with creation._nodb_cursor() as cursor:  # noqa: SLF001
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        return cursor.fetchone() is not None


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Rate limits and fragments of one test are not those of another."""
    cache.clear()


@pytest.fixture(autouse=True)
def _no_connection_left_behind() -> Iterator[None]:
    """Close what asynchronous tests opened in the one thread that their queries run in.

    It outlives them, and a database that it is connected to can neither be copied nor switched.
    """
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
