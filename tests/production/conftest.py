"""One site for all tests of this folder, started the way the image is."""

import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from dovetail.devtools.embedded.testing import throwaway_valkey
from tests.frontend import build_frontend
from tests.production.image import Image, Web
from tests.production.proxy import Proxy, write_certificate

EMAIL, PASSWORD = "ada@example.com", "a-joint-of-wood-29"
START_TIMEOUT = 120  # seconds
ADD_USER = f"""
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
user = get_user_model().objects.create_user("{EMAIL}", "{PASSWORD}", display_name="Ada")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests in one worker, because the site is started once, and with --long.

    The application and its settings are started in production by tests/config in each run.
    """
    for item in items:
        if item.nodeid.startswith("tests/production/"):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.long("starts the whole site as the image does"))
            item.add_marker(pytest.mark.xdist_group("production"))


@dataclass
class Site:
    """A running site.

    Attributes:
        image: its files and commands.
        web: its server.
        proxy: what visitors connect to.
        certificate: what they trust.
        unmigrated: what /readyz said, status and checks, before the migrations were applied.
    """

    image: Image
    web: Web
    proxy: Proxy
    certificate: Path
    unmigrated: tuple[int, dict[str, str]]

    def visitor(self) -> "Visitor":
        return Visitor(self.proxy.https, self.certificate)


class Visitor(requests.Session):
    """A browser's cookies and headers, without the browser."""

    def __init__(self, url: str, certificate: Path) -> None:
        super().__init__()
        self.url = url
        self.verify = str(certificate)
        self.trust_env = False  # no proxies of the environment
        self.cookies.set_policy(DefaultCookiePolicy(strict_domain=False))

    def page(self, path: str) -> requests.Response:
        return self.get(f"{self.url}{path}", timeout=60)

    def submit(
        self, path: str, values: dict[str, str], files: dict[str, Any] | None = None
    ) -> requests.Response:
        """Open the page of a form, fill in some fields and send it."""
        form = self.page(path).text
        hidden = re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', form)
        headers = {"Referer": f"{self.url}{path}", "Origin": self.url}
        data = dict(hidden) | values
        return self.post(f"{self.url}{path}", data, headers=headers, files=files, timeout=60)

    def sign_in(self) -> requests.Response:
        return self.submit("/accounts/login/", {"login": EMAIL, "password": PASSWORD})


@pytest.fixture(scope="package")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Assemble the image, and give it an empty database, a cache and a broker."""
    folder = tmp_path_factory.mktemp("image")
    build_frontend(folder)
    with _empty_database() as database, throwaway_valkey() as valkey:
        image = Image(
            folder / "app",
            {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "ALLOWED_HOSTS": "localhost",
                "SITE_URL": "https://localhost",  # replaced when the port is known
                "TRUSTED_PROXY_COUNT": "1",
                "DATABASE_URL": database,
                "VALKEY_URL": f"{valkey}/0",
                "CELERY_BROKER_URL": f"{valkey}/1",
                "EMAIL_URL": "smtp://localhost:25",
                "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
                "DATA_DIR": str(folder / "data"),
                "WEB_HANDLER": os.environ.get("WEB_HANDLER", "bridge"),
            },
        )
        image.assemble()
        image.collect()
        yield image


@pytest.fixture(scope="package")
def site(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start the server before the migrations, as a rollout does, then apply them."""
    folder = tmp_path_factory.mktemp("site")
    certificate = folder / "certificate.pem"
    write_certificate(certificate)
    proxy = Proxy(0, certificate)
    image.environment["SITE_URL"] = proxy.https
    web = Web(image, folder / "web.log")
    proxy.upstream = web.port
    try:
        answer = wait_until_it_answers(web)
        unmigrated = answer.status_code, answer.json()["checks"]
        image.run("migrate", "--verbosity=0")
        image.run("manage", "shell", "--no-imports", "--command", ADD_USER)
        yield Site(image, web, proxy, certificate, unmigrated)
    finally:
        web.stop()
        proxy.stop()


def wait_until_it_answers(web: Web) -> requests.Response:
    """Return the answer of /readyz, once the server gives one."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        assert web.process.poll() is None, web.log.read_text()
        try:
            return requests.get(f"http://127.0.0.1:{web.port}/readyz", timeout=30)
        except requests.ConnectionError:
            assert time.monotonic() < deadline, web.log.read_text()
            time.sleep(0.1)  # the server has no other way to tell


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with site.visitor() as visitor:
        yield visitor


class _empty_database:  # noqa: N801 - used as a function
    """Create a database for the length of the context; its value is the URL."""

    def __init__(self) -> None:
        self.server = os.environ["DATABASE_URL"]
        self.name = f"production_{secrets.token_hex(4)}"

    def __enter__(self) -> str:
        self._run(f'CREATE DATABASE "{self.name}" TEMPLATE template0')
        return urlsplit(self.server)._replace(path=f"/{self.name}").geturl()

    def __exit__(self, *_: object) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement)
