"""The API does what its schema says, behind the server as it is deployed.

The cases are those of tests/apps/api/test_contract.py. Here it matters what the server, the
settings of production and a real commit make of them.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy

import psycopg
import pytest
import requests
from django.conf import settings
from hypothesis import given
from psycopg import sql
from redis import Redis

from tests import flush
from tests.apps.api.contract import (
    AnyCase,
    Caller,
    random_cases,
    settings_for,
    systematic_cases,
)
from tests.apps.api.senders import ADDRESS, HOST, ORIGIN, SENDERS, Sender
from tests.production.conftest import Site, wait_until_it_answers
from tests.production.image import Web

SYSTEMATIC, RANDOM = 1500, 2500  # cases of each sender, at least
SUCCESSES = 0.05  # the share of the answers to who is signed in that are 2xx, at least
OF_MIGRATIONS = flush.OF_MIGRATIONS | {"django_migrations"}
PATIENCE = 60  # seconds for an answer from a busy machine
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
# What is signed in stays so until all cases are sent.
LASTING = """
from config.settings.production import *

ACCOUNT_REAUTHENTICATION_TIMEOUT = HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 7200
"""
MAKE = "from tests.apps.api.senders import as_json; print(as_json())"


@contextmanager
def saved(database: str) -> Iterator[Callable[[], None]]:
    """Save the rows of the database, and return a function that restores them."""
    with psycopg.connect(database, autocommit=True) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = [
            {"table": sql.Identifier("public", name), "copy": sql.Identifier(f"saved_{name}")}
            for (name,) in connection.execute(query)
            if name not in OF_MIGRATIONS
        ]
        for names in tables:
            connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {copy} AS TABLE {table}").format(**names)
            )
        # Foreign keys are checked at the end of the transaction.
        restore = sql.SQL("; ").join(
            sql.SQL("DELETE FROM {table}; INSERT INTO {table} TABLE {copy}").format(**names)
            for names in tables
        )

        def restored() -> None:
            with connection.transaction():
                connection.execute(restore)

        yield restored


@dataclass
class Server:
    """A server with the rows of the contract.

    Attributes:
        port: where it listens, on 127.0.0.1.
        senders: who can send requests, by name.
        undo: brings back the rows, and forgets rates.
    """

    port: int
    senders: dict[str, Sender]
    undo: Callable[[], None]


@pytest.fixture(scope="module")
def server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("contract")
    (folder / "lasting.py").write_text(LASTING)
    image = site.image
    valkey = image.environment["VALKEY_URL"].rpartition("/")[0]
    changes = {
        "DJANGO_SETTINGS_MODULE": "lasting",
        "PYTHONPATH": str(folder),
        "SITE_URL": ORIGIN,
        "JWT_PRIVATE_KEY": secrets.token_urlsafe(50),
        "API_RATE_FACTOR": "1000000",  # most answers would be 429
        "WEB_CONCURRENCY": "1",
        # No other server loses its cache, and no worker gets these tasks.
        "VALKEY_URL": f"{valkey}/2",
        "CELERY_BROKER_URL": f"{valkey}/3",
    }
    path = os.pathsep.join([str(folder), str(settings.BASE_DIR)])
    database = image.environment["DATABASE_URL"]
    with saved(database) as restore_all, Redis.from_url(changes["VALKEY_URL"]) as cache:
        command = ("manage", "shell", "--no-imports", "--command", MAKE)
        made = image.run(*command, check=True, **changes | {"PYTHONPATH": path})
        senders = {name: Sender(**values) for name, values in json.loads(made.stdout).items()}
        web = Web(image, folder / "web.log", **changes)
        try:
            wait_until_it_answers(web)
            with saved(database) as restore:

                def undo() -> None:
                    restore()
                    cache.flushdb()

                yield Server(web.port, senders, undo)
        finally:
            web.stop()
            restore_all()


class OverHTTP(Caller):
    """Sends cases to a server, as the proxy in front of it does."""

    def __init__(self, sender: Sender, server: Server) -> None:
        super().__init__(sender)
        self.server = server
        self.connection = requests.Session()
        self.connection.trust_env = False  # no proxies of the environment
        # A sender has the same cookies in each case.
        self.connection.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.url = f"http://127.0.0.1:{server.port}"
        self.headers = sender.headers | {
            "Host": HOST,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": ADDRESS,
            "Accept-Encoding": "gzip",
        }

    def get(self, path: str) -> requests.Response:
        return self.connection.get(
            f"{self.url}{path}", headers=self.headers, cookies=self.sender.cookies, timeout=PATIENCE
        )

    def send(self, case: AnyCase) -> None:
        response = case.call(
            base_url=self.url,
            session=self.connection,
            headers=dict(self.headers),
            cookies=dict(self.sender.cookies),
            timeout=PATIENCE,
        )
        if case.method.upper() not in SAFE:
            self.server.undo()
        self.check(case, response)

    def succeeded(self) -> float:
        """Return the share of the answers that are 2xx."""
        good = sum(count for status, count in self.statuses.items() if status // 100 == 2)
        return good / self.statuses.total()


@pytest.fixture(params=SENDERS)
def caller(request: pytest.FixtureRequest, server: Server) -> Iterator[OverHTTP]:
    caller = OverHTTP(server.senders[request.param], server)
    with caller.connection:
        yield caller


def test_there_are_enough_cases() -> None:
    assert (SYSTEMATIC + RANDOM) * len(SENDERS) >= 20_000


def test_cases(caller: OverHTTP, request: pytest.FixtureRequest) -> None:
    """Kind: what only the server, a commit or the settings of production make wrong."""
    for case in systematic_cases():
        caller.send(case)

    @settings_for(RANDOM)
    @given(random_cases())
    def send(case: AnyCase) -> None:
        caller.send(case)

    send()

    caller.assert_conformance(SYSTEMATIC + RANDOM)
    assert caller.statuses[HTTPStatus.TOO_MANY_REQUESTS] == 0
    if request.node.callspec.params["caller"] != "anonymous":
        # Otherwise most of them could have been 401.
        assert caller.succeeded() >= SUCCESSES
        assert caller.get("/api/v1/users/me/").status_code == HTTPStatus.OK
