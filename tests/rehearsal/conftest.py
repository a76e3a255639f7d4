"""Images of the site, whose processes the tests replace under traffic."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dovetail.devtools.embedded.testing import throwaway_valkey
from tests.cable.servers import wait_until
from tests.frontend import build_frontend
from tests.production.conftest import _empty_database
from tests.production.image import ROOT, Image, Web
from tests.rehearsal.balancer import Balancer
from tests.rehearsal.visitors import Traffic

HOST = "site.example"
PROXIED = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
PASSWORD = "a-joint-of-wood-29"
PEOPLE = [f"person{number}@example.com" for number in range(30)]
ADD_PEOPLE = f"""
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
for email in {PEOPLE}:
    user = get_user_model().objects.create(email=email, password=password, display_name="Ada")
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
"""
START = 120  # seconds until a server is ready on a busy machine
STOP = 60  # seconds until one has ended there; WEB_STOP_SECONDS is 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests in one worker, which assembles the image once, and with --long."""
    for item in items:
        if item.nodeid.startswith("tests/rehearsal/"):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.long("replaces the processes of the whole site"))
            item.add_marker(pytest.mark.xdist_group("rehearsal"))


@pytest.fixture(scope="package")
def assemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Image]]:
    """Return a function that assembles an image from a folder with the code of a version."""
    build_frontend(tmp_path_factory.mktemp("frontend"))
    with throwaway_valkey() as valkey:

        def assemble(project: Path) -> Image:
            folder = tmp_path_factory.mktemp("image")
            image = Image(
                folder / "app",
                {
                    "SECRET_KEY": "the-same-in-each-version-" * 3,
                    "ALLOWED_HOSTS": HOST,
                    "SITE_URL": f"https://{HOST}",
                    "TRUSTED_PROXY_COUNT": "1",
                    "DATABASE_URL": os.environ["DATABASE_URL"],
                    "VALKEY_URL": f"{valkey}/0",
                    "CELERY_BROKER_URL": f"{valkey}/1",
                    "EMAIL_URL": "smtp://localhost:25",
                    "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
                    "DATA_DIR": str(folder / "data"),
                    "WEB_CONCURRENCY": "1",
                    "API_RATE_FACTOR": "1000000",
                },
            )
            image.environment |= {
                "DJANGO_SETTINGS_MODULE": "tests.rehearsal.settings",
                "PYTHONPATH": f"{image.folder / 'project'}:{ROOT}",
            }
            image.assemble(project)
            image.collect()
            return image

        yield assemble


@pytest.fixture(scope="package")
def image(assemble: Callable[[Path], Image]) -> Image:
    return assemble(ROOT / "project")


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of an empty database."""
    with _empty_database() as url:
        yield url


class Release:
    """Servers behind a balancer, on one database, with visitors.

    Attributes:
        traffic: what visitors do.
        balancer: where they connect to.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database
        self.balancer = Balancer(
            handshake={**PROXIED, "Origin": f"https://{HOST}"},
        )
        self.traffic = Traffic(self.balancer.port, PROXIED)
        self.servers: list[Web] = []

    def prepare(self, image: Image) -> None:
        """Create the tables of this version, and people."""
        image.run("migrate", "--verbosity=0", DATABASE_URL=self.database)
        image.run(
            *("manage", "shell", "--no-imports", "--command", ADD_PEOPLE),
            DATABASE_URL=self.database,
        )

    def start(self, image: Image) -> Web:
        """Start a server, which gets connections when it is ready."""
        log = self.folder / f"web-{len(self.servers)}.log"
        web = Web(image, log, DATABASE_URL=self.database)
        self.servers.append(web)
        self.balancer.add(web.port)
        return web

    def wait_until_ready(self, web: Web) -> None:
        def is_ready() -> bool:
            assert web.process.poll() is None, web.log.read_text()
            return self.balancer.is_ready(web.port)

        wait_until(is_ready, "the server is ready", START)

    def drain(self, web: Web) -> None:
        """End a server as platforms do: with SIGTERM, and time for its requests."""
        web.process.terminate()
        assert web.process.wait(STOP) == 0, web.log.read_text()
        self.balancer.remove(web.port)

    def wait_for_requests(self, number: int) -> None:
        """Wait until visitors have made so many more."""
        least = self.traffic.total() + number
        wait_until(lambda: self.traffic.total() >= least, f"{number} requests", 300)

    def log(self) -> str:
        return "".join(web.log.read_text() for web in self.servers)


@pytest.fixture
def release(tmp_path: Path, database: str) -> Iterator[Release]:
    release = Release(tmp_path, database)
    try:
        yield release
    finally:
        release.traffic.end()
        for web in release.servers:
            if web.process.poll() is None:
                web.process.kill()
                web.process.wait()
        release.balancer.stop()
