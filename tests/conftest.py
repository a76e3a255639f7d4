"""Services for the test session, and a database for each worker."""

import fcntl
import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.cache import cache, caches
from django.db import connection, connections
from hypothesis import settings as fuzzing
from pytest_django import DjangoDbBlocker

from config import env
from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.frontend import find_node
from dovetail.devtools.supervisor.guard import Guard
from tests import flush
from tests.dovetail.media.buckets import s3, s3_server
from tests.engines import on_paradedb, on_postgres, search_engine, use_engine

# Import these only here: a session fixture runs once for each module that imports it.
__all__ = ["on_paradedb", "on_postgres", "s3", "s3_server", "search_engine", "use_engine"]

BROKER_DATABASE = 15  # the last of a Valkey server's databases
SERVICES = pytest.StashKey[ExitStack]()

LONG_TIMEOUT = 1800  # seconds; hundreds of examples on a busy machine
AT_FIRST = 2  # groups that begin with the session
FUZZING = {"short": 10, "long": 500}  # examples for each test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="run the tests that are marked long, too, and try more examples, as CI does",
    )


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Start two workers more than there are cores: those that wait for servers leave them idle."""
    if config.option.numprocesses != "auto" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist decides
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 2


@pytest.hookimpl(trylast=True)  # after the folders' own, which add marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("long")
        if mark and not config.option.long:
            (reason,) = mark.args
            item.add_marker(pytest.mark.skip(reason=f"runs with --long: {reason}"))
        if config.option.long and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT))
    if getattr(config.option, "loadgroup", False):
        _keep_groups_together(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect garbage once after the tests are collected, and seldom among what they make."""
    gc.disable()
    if hasattr(session.config, "workerinput"):
        _import_in_turn(session.config)
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()  # thousands of tests, which stay
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def _import_in_turn(config: Any) -> None:
    """Import the modules of the tests, each worker beginning with others.

    In a fresh clone, each has to be compiled with its assertions rewritten. Workers that import
    them in the same order would all compile the same one at the same time.
    """
    folders = [Path(config.rootpath, name) for name in config.args]
    modules = [
        ".".join(path.relative_to(config.rootpath).with_suffix("").parts)
        for folder in folders
        if folder.is_relative_to(config.rootpath)
        for path in sorted(folder.rglob("test_*.py"))
    ]
    worker = config.workerinput
    number = int(worker["workerid"].removeprefix("gw"))
    first = len(modules) * number // worker["workercount"]
    reported_later = Exception, SystemExit, pytest.skip.Exception  # when the module is collected
    for module in modules[first:] + modules[:first]:
        with suppress(*reported_later):
            import_module(module)


def _keep_groups_together(items: list[pytest.Item]) -> None:
    """Name the group of each test in its id, so that one worker runs the whole group.

    xdist does so, but pytest 9.2 ignores what it sets, and each worker would start every server:
    https://github.com/pytest-dev/pytest-xdist/issues/1386.

    Large groups come early, so that no worker is left with one when the others are done, but not
    all at once: while their tests wait for servers, others use the cores. So do they while those
    of the group "waits" wait, which have nothing else in common.
    """
    groups = {item: _group_of(item) for item in items}
    for item, group in groups.items():
        suffix = f"@{group}"
        if group and not item.nodeid.endswith(suffix):
            item._id = item.id.parse(f"{item.nodeid}{suffix}")  # noqa: SLF001 - see above
    alone = [item for item in items if not groups[item]]
    gap = len(alone) // (2 * len(set(groups.values())))
    order: list[pytest.Item] = []
    sizes = Counter(filter(None, groups.values()))
    for index, (group, _) in enumerate(sizes.most_common()):
        order += [item for item in items if groups[item] == group]
        if index >= AT_FIRST - 1:
            order += alone[:gap]
            del alone[:gap]
    items[:] = order + alone


def _group_of(item: pytest.Item) -> str:
    return "_".join(sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")}))


def pytest_configure(config: pytest.Config) -> None:
    """Start the services that are not configured, once per session; workers inherit their URLs."""
    _load_fuzzing_profile(config)
    if hasattr(config, "workerinput"):
        _use_separate_cache(config.workerinput["workerid"])
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
    # Without workers, the tests run in this process, whose settings are already loaded.
    connection.settings_dict.update(env.database("DATABASE_URL"))
    settings.VALKEY_URL = settings.CACHES["default"]["LOCATION"] = os.environ["VALKEY_URL"]
    for name in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL"):
        setattr(settings, f"CELERY_{name}", env.broker("CELERY_BROKER_URL"))


def _load_fuzzing_profile(config: pytest.Config) -> None:
    """Try the same examples in each run; `--hypothesis-seed=1` tries others."""
    same = config.getoption("hypothesis_seed", None) is None
    for name, examples in FUZZING.items():
        fuzzing.register_profile(name, deadline=None, max_examples=examples, derandomize=same)
    fuzzing.load_profile("long" if config.option.long else "short")


def pytest_unconfigure(config: pytest.Config) -> None:
    if services := config.stash.get(SERVICES, None):
        services.close()


def _use_separate_cache(worker: str) -> None:
    """Give a worker its own Valkey database, so that other workers do not clear its counters."""
    server = str(settings.CACHES["default"]["LOCATION"]).rpartition("/")[0]
    number = int(worker.removeprefix("gw")) % BROKER_DATABASE
    settings.CACHES["default"]["LOCATION"] = f"{server}/{number}"


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of the Node that `up` uses; that on PATH may be too old for the tests."""
    guard = Guard()
    try:
        return str(find_node(settings.DATA_DIR / "embedded", guard).directory / "node")
    except SetupError as error:
        pytest.skip(str(error))
    finally:
        guard.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# pg_search sometimes looks for a row of which vacuuming has given back the page to the file system.
# That leaves a buffer for a page that does not exist, and PostgreSQL refuses the insertion that
# would create it: "page 6 of relation "shelves_page" should be empty but is not".
KEEP_EMPTY_PAGES = """
DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    LOOP EXECUTE format('ALTER TABLE %s SET (vacuum_truncate = false)', name); END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    testrun_uid: str,
) -> Iterator[None]:
    """Migrate one database per session and clone it for each worker, as `manage.py test` does."""
    creation: Any = connection.creation
    name = connection.settings_dict["NAME"]
    template = f"test_{name}_{testrun_uid[:8]}"
    connection.settings_dict["TEST"]["NAME"] = template
    lock = tmp_path_factory.getbasetemp().parent / "template.lock"
    with django_db_blocker.unblock():
        with _locked(lock):
            if not _exists(template):
                creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
                with connection.cursor() as cursor:
                    cursor.execute(KEEP_EMPTY_PAGES)
                connection.close()
            connection.settings_dict["NAME"] = template
            creation.clone_test_db(suffix=worker_id, verbosity=0, autoclobber=True)
        connection.close()
        copy = creation.get_test_db_clone_settings(worker_id)["NAME"]
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = copy
        monkeypatch = pytest.MonkeyPatch()
        flush.install(monkeypatch)
        connection.close()
    yield
    monkeypatch.undo()
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = name
        with _locked(lock), creation._nodb_cursor() as cursor:  # noqa: SLF001
            cursor.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
            cursor.execute(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')


def _exists(database: str) -> bool:
    creation: Any = connection.creation
    with creation._nodb_cursor() as cursor:  # noqa: SLF001
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        return cursor.fetchone() is not None


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Clear the caches, so that tests do not share rate limits and computed values."""
    cache.clear()
    if settings.CACHES["computed"] is not settings.CACHES["default"]:  # MEMCACHED_URL is set
        caches["computed"].clear()


@pytest.fixture(autouse=True)
def _close_async_connections() -> Iterator[None]:
    """Close the connections of the thread that runs the queries of asynchronous tests.

    The thread outlives the tests, and a database with open connections cannot be cloned or dropped.
    """
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
