"""The site as the image starts it, on services that the tests take away."""

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import pytest
import requests
from benchmarks.http_load import Outcome, Request, send_all

from dovetail.devtools.embedded.testing import throwaway_data_dir
from dovetail.devtools.supervisor.guard import Guard
from tests.cable.servers import wait_until
from tests.faults.servers import Memcached, Postgres, Valkey
from tests.frontend import build_frontend
from tests.production.conftest import ADD_USER, Visitor, wait_until_it_answers
from tests.production.image import Image, Web
from tests.production.proxy import Proxy, write_certificate

HOST = "site.example"
PROXIED = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests in one worker, because the site is started once, and with --long."""
    for item in items:
        if item.nodeid.startswith("tests/faults/"):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.long("takes services away from a whole site"))
            item.add_marker(pytest.mark.xdist_group("faults"))


@dataclass
class Site:
    image: Image
    web: Web
    postgres: Postgres
    valkey: Valkey
    memcached: Memcached
    proxy: Proxy | None = None

    def get(self, path: str, timeout: float = 60) -> requests.Response:
        return requests.get(
            f"http://127.0.0.1:{self.web.port}{path}",
            headers=PROXIED,
            timeout=timeout,
            allow_redirects=False,
        )

    def request(self, path: str) -> Request:
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in PROXIED.items())]
        return Request("\r\n".join([*lines, "", ""]).encode())

    @contextmanager
    def load(self, path: str, connections: int = 8) -> Iterator[Outcome]:
        """Ask for a page all the time; the outcome is complete at the end of the context."""
        outcome, done = Outcome(), Event()

        def ask() -> None:
            while not done.is_set():
                part = asyncio.run(send_all(self.web.port, self.request(path), 0.25, connections))
                outcome.answers += part.answers
                outcome.failures += part.failures
                outcome.times += part.times

        thread = Thread(target=ask)
        thread.start()
        try:
            yield outcome
        finally:
            done.set()
            thread.join()

    @contextmanager
    def another_web(self, log: Path, *options: str, **changes: str) -> Iterator["Site"]:
        """Start one more server, for a test that stops it."""
        web = Web(self.image, log, *options, **changes)
        try:
            wait_until_it_answers(web)
            yield replace(self, web=web)
        finally:
            if web.process.poll() is None:
                web.stop()

    @contextmanager
    def visited(self, folder: Path, **changes: str) -> Iterator[tuple["Site", Visitor]]:
        """Start one more server, behind a proxy, with a visitor who keeps cookies."""
        certificate = folder / "certificate.pem"
        write_certificate(certificate)
        proxy = Proxy(0, certificate)
        changes = {"SITE_URL": proxy.https, "ALLOWED_HOSTS": "localhost"} | changes
        try:
            with (
                self.another_web(folder / "web.log", **changes) as own,
                Visitor(proxy.https, certificate) as visitor,
            ):
                proxy.upstream = own.web.port
                yield replace(own, proxy=proxy), visitor
        finally:
            proxy.stop()

    def wait_until_well(self, path: str) -> None:
        wait_until(lambda: self.get(path).status_code == 200, f"{path} works again")


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not shutil.which("uv") or not shutil.which("memcached"):
        pytest.skip("needs uv, which installs PostgreSQL, and memcached")
    folder = tmp_path_factory.mktemp("faults")
    build_frontend(folder)
    guard = Guard()
    with throwaway_data_dir(folder) as data:
        postgres = Postgres(data, guard)
        valkey = Valkey(folder / "valkey.log", {})
        memcached = Memcached(folder / "memcached.log", {})
        for service in (postgres, valkey, memcached):
            service.start()
        try:
            postgres.cluster.create_database()
            environment = {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "ALLOWED_HOSTS": HOST,
                "SITE_URL": f"https://{HOST}",
                "TRUSTED_PROXY_COUNT": "1",
                "DATABASE_URL": postgres.url,
                "VALKEY_URL": valkey.url,
                "CELERY_BROKER_URL": f"{valkey.url[:-1]}1",
                "MEMCACHED_URL": f"memcached://127.0.0.1:{memcached.port}",
                "EMAIL_URL": "smtp://localhost:25",
                "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
                "DATA_DIR": str(folder / "data"),
            }
            image = Image(folder / "app", environment)
            image.environment |= {
                "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
                "PYTHONPATH": f"{image.folder / 'project'}:{ROOT}",
            }
            image.assemble()
            image.collect()
            image.run("migrate", "--verbosity=0")
            image.run("manage", "shell", "--no-imports", "--command", ADD_USER)
            web = Web(image, folder / "web.log")
            try:
                wait_until_it_answers(web)
                yield Site(image, web, postgres, valkey, memcached)
            finally:
                web.stop()
        finally:
            for service in (memcached, valkey, postgres):
                service.stop()
            guard.close()


@pytest.fixture
def _well(site: Site) -> Iterator[None]:
    """Leave a working site to the next test."""
    yield
    for path in ("/faults/rows/", "/"):
        site.wait_until_well(path)
    assert "Traceback" not in site.get("/").text
