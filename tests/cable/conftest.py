import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from channels.layers import channel_layers

from dovetail.cable.layer import ValkeyChannelLayer
from dovetail.devtools.embedded.valkey import INSTALLED, find_installed
from tests.cable.clients import ACTIONCABLE, BrowserThread, Chromium, Client, Node, Runtime
from tests.cable.servers import Valkey, Web, Worker, environment_for
from tests.frontend import locked_frontend
from tests.queueing import queue_tasks

Connect = Callable[..., Client]

IN_CHROMIUM = pytest.mark.long("does in Chromium what it does in Node")
# For what differs most between the two: how they open a socket, and what they do with it.
IN_BOTH = pytest.mark.parametrize("connect", ["node", "chromium"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that start servers in one pytest worker."""
    for item in items:
        if item.nodeid.startswith("tests/cable/"):
            item.add_marker(pytest.mark.xdist_group("cable"))


@pytest.fixture(scope="package")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    if find_installed() is None:
        pytest.skip(f"There is no Valkey on PATH ({' or '.join(INSTALLED)})")
    server = Valkey(tmp_path_factory.mktemp("valkey") / "log", {})
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def web(
    valkey: Valkey, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    del django_db_setup  # the servers use its database
    server = Web(tmp_path_factory.mktemp("web") / "log", environment_for(valkey.url))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def worker(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    server = Worker(tmp_path_factory.mktemp("worker") / "log", web.environment)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def _queued(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send tasks to the Celery worker, where other tests run them at once."""
    queue_tasks(monkeypatch, worker.environment["CELERY_BROKER_URL"])


@pytest.fixture(scope="package")
def chromium() -> Iterator[BrowserThread]:
    thread = BrowserThread()
    yield thread
    thread.end()


@pytest.fixture(autouse=True)
def _same_services(valkey: Valkey, settings: Any) -> Iterator[None]:
    """Let the test process broadcast to the servers and share their cache."""
    cache = settings.CACHES["default"] | {"LOCATION": valkey.url}
    settings.CACHES = settings.CACHES | {"default": cache}
    config: dict[str, Any] = {
        "prefix": f"{settings.PROJECT_NAME}.",
        "hosts": [{"address": valkey.url}],
    }
    channel_layers.set("default", ValkeyChannelLayer(**config))
    yield
    channel_layers.backends.clear()


@pytest.fixture(scope="package")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the client's script, which the start of another test's stack may replace."""
    with locked_frontend() as frontend:
        if not (frontend / ACTIONCABLE).is_file():
            pytest.skip("The front end is not installed. Run `bin/npm ci`")
        return Path(shutil.copy(frontend / ACTIONCABLE, tmp_path_factory.mktemp("script")))


@pytest.fixture(params=["node", pytest.param("chromium", marks=IN_CHROMIUM)])
def connect(
    request: pytest.FixtureRequest, web: Web, script: Path, transactional_db: None
) -> Iterator[Connect]:
    """Return a function that opens the real client, anonymous or with a session."""
    del transactional_db

    def connect(session: str = "") -> Client:
        runtime: Runtime
        if request.param == "node":
            runtime = Node(request.getfixturevalue("node"), script, web.url, session)
        else:
            runtime = Chromium(request.getfixturevalue("chromium"), script, web.url, session)
        ends.callback(runtime.end)
        client = Client(runtime)
        client.open(web.url)
        ends.callback(client.close)
        return client

    with ExitStack() as ends:
        yield connect
