"""What docker-compose.yml starts, as processes of this machine: its commands, settings, secrets.

The stores are real, the files that the Compose file mounts are used as they are, and a visitor
signs in through the proxy. Valkey takes the place of RabbitMQ where that is not installed.
"""

import io
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from PIL import Image as Picture

from dovetail.devtools.embedded.testing import free_port, throwaway_postgres
from tests.cable.websocket import RawSocket
from tests.deploy import caddy
from tests.deploy.caddy import Caddy
from tests.deploy.test_compose import SERVICES
from tests.frontend import build_frontend
from tests.production.conftest import ADD_USER, Visitor, wait_until_it_answers
from tests.production.image import Image, Web
from tests.repository import ROOT
from tests.stack import rabbitmq

TIMEOUT = 120  # seconds
PROGRAMS = ["memcached", "perl", "psql", "valkey-server"]  # the embedded psql crashes
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
pytestmark = [
    pytest.mark.long("starts the whole site as Compose does"),
    pytest.mark.xdist_group("production"),
    pytest.mark.skipif(bool(caddy.missing()), reason=caddy.missing()),
    pytest.mark.skipif(bool(MISSING), reason=f"not on PATH: {', '.join(MISSING)}"),
]


@dataclass
class Site:
    """The running site.

    Attributes:
        image: its files, settings and commands.
        proxy: what visitors connect to.
        secrets: the folder with the secrets.
        logs: the folder with what the processes say.
    """

    image: Image
    proxy: Caddy
    secrets: Path
    logs: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("topology")
    build_frontend(folder)
    with ExitStack() as stack:
        secret = write_secrets(folder)
        stack.enter_context(postgres(secret))
        stack.enter_context(valkey(secret, folder))
        stack.enter_context(broker(secret))
        stack.enter_context(memcached(folder))
        proxy = Caddy(folder / "caddy", WEB_NAME="localhost")
        stack.callback(proxy.stop)
        image = Image(folder / "app", environment("web", folder, secret, proxy))
        image.assemble()
        image.collect()
        image.run(*SERVICES["migrate"]["command"])
        image.run("manage", "shell", "--no-imports", "--command", ADD_USER)
        stack.enter_context(process(image, folder, "worker"))
        stack.enter_context(process(image, folder, "beat", f"--schedule={folder}/beat"))
        web = Web(image, folder / "web.log")
        stack.callback(web.stop)
        wait_until_it_answers(web)
        proxy.reload(WEB_NAME="localhost", WEB_PORT=str(web.port))
        yield Site(image, proxy, secret, folder)


def write_secrets(folder: Path) -> Path:
    """Run bin/secrets in a checkout of its own, and return the folder of the secrets."""
    (folder / "caddy").mkdir()
    (folder / "bin").mkdir()
    shutil.copy(ROOT / "bin/secrets", folder / "bin")
    subprocess.run(["bash", folder / "bin/secrets"], check=True, capture_output=True)
    return folder / "secrets"


def environment(role: str, folder: Path, secret: Path, proxy: Caddy) -> dict[str, str]:
    """Return the environment that Compose gives a role, with the places of this machine."""
    values = {name: str(value) for name, value in SERVICES[role]["environment"].items()}
    values |= {
        "ALLOWED_HOSTS": "localhost",
        "SITE_URL": proxy.https,
        "DEFAULT_FROM_EMAIL": "hello@site.example",
        "DATA_DIR": str(folder / "data"),
        "WEB_CONCURRENCY": "1",
    }
    del values["PORT"]
    return {
        name: value.replace("/run/secrets", str(secret)).replace("/run/memcached", str(folder))
        for name, value in values.items()
    }


def move(secret: Path, name: str, address: str) -> None:
    """Put an address of this machine into the URL that is a secret."""
    file = secret / name
    user = urlsplit(file.read_text()).netloc.rpartition("@")[0]
    parts = urlsplit(file.read_text())
    file.write_text(parts._replace(netloc=f"{user}@{address}").geturl())


@contextmanager
def postgres(secret: Path) -> Iterator[None]:
    """Make the database as the image of ParadeDB does, and then as our script does."""
    with throwaway_postgres(settings.DATA_DIR) as url:
        parts = urlsplit(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE site TEMPLATE template0")
        with psycopg.connect(parts._replace(path="/site").geturl(), autocommit=True) as connection:
            found = connection.execute(
                "SELECT FROM pg_available_extensions WHERE name = 'pg_search'"
            ).fetchone()
            if found is not None:
                connection.execute("CREATE EXTENSION pg_search")
        subprocess.run(
            ["bash", ROOT / "deploy/postgres/site.sh"],
            env={
                "PATH": os.environ["PATH"],
                "PGHOST": str(parts.hostname),
                "PGPORT": str(parts.port),
                "PGPASSWORD": str(parts.password),
                "POSTGRES_USER": str(parts.username),
                "POSTGRES_DB": "site",
                "SITE_PASSWORD_FILE": str(secret / "site_password"),
            },
            check=True,
        )
        move(secret, "database_url", f"{parts.hostname}:{parts.port}")
        yield


@contextmanager
def valkey(secret: Path, folder: Path) -> Iterator[None]:
    service = SERVICES["valkey"]
    [script] = service["command"]
    port = free_port()
    here = script.replace("$$", "$").replace("/run/secrets", str(secret))
    here = here.replace("--dir /tmp", f"--dir {folder} --bind 127.0.0.1 --port {port}")
    with running([*service["entrypoint"], here], folder / "valkey.log", lambda: is_open(port)):
        move(secret, "valkey_url", f"127.0.0.1:{port}")
        yield


@contextmanager
def broker(secret: Path) -> Iterator[None]:
    if shutil.which("rabbitmq-server"):
        with rabbitmq.running() as server:
            (secret / "broker_url").write_text(server.url)
            yield
    else:
        url = (secret / "valkey_url").read_text()
        (secret / "broker_url").write_text(urlsplit(url)._replace(path="/1").geturl())
        yield


@contextmanager
def memcached(folder: Path) -> Iterator[None]:
    command = [
        word.replace("/run/memcached", str(folder)) for word in SERVICES["memcached"]["command"]
    ]
    with running([*command, "--user=root"], folder / "memcached.log", lambda: is_healthy(folder)):
        yield


def is_healthy(folder: Path) -> bool:
    """Run the health check of memcached in the Compose file."""
    command = SERVICES["memcached"]["healthcheck"]["test"][1:]
    here = [word.replace("$$", "$").replace("/run/memcached", str(folder)) for word in command]
    return subprocess.run(here, capture_output=True, check=False).returncode == 0


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], log: Path, is_up: Callable[[], bool]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(is_up, process, log)
        yield
    finally:
        process.terminate()  # it must be the server itself that gets the signal
        process.wait(60)


@contextmanager
def process(image: Image, folder: Path, role: str, *options: str) -> Iterator[None]:
    log = folder / f"{role}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            image.command(*SERVICES[role]["command"], *options),
            cwd=image.folder,
            env=image.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_until(is_true: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not is_true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with Visitor(site.proxy.https, site.proxy.certificate) as visitor:
        yield visitor


def test_secrets_are_closed_to_others(site: Site) -> None:
    assert site.secrets.stat().st_mode & 0o777 == 0o700


def test_settings_are_found_to_be_right(site: Site) -> None:
    result = site.image.run("manage", "check", "--deploy", "--fail-level", "WARNING", check=False)

    assert "System check identified no issues" in result.stdout + result.stderr


def test_plain_http_is_redirected_once(site: Site, visitor: Visitor) -> None:
    answer = visitor.get(f"{site.proxy.http}/articles/?q=oak", timeout=60)

    assert answer.status_code == 200
    assert [one.status_code for one in answer.history] == [308]
    assert answer.url == f"{site.proxy.https}/articles/?q=oak"


def test_visitor_cannot_forge_where_they_come_from(site: Site, visitor: Visitor) -> None:
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http"}

    answer = visitor.get(f"{site.proxy.https}/articles/", headers=forged, timeout=60)

    assert (answer.status_code, answer.history) == (200, [])
    assert "192.0.2.7" not in (site.logs / "web.log").read_text()


def test_websocket_passes_the_proxy(site: Site) -> None:
    socket = RawSocket(site.proxy.https, certificate=site.proxy.certificate)

    assert socket.receive() == {"type": "welcome"}
    socket.close()


def test_user_of_the_site_is_no_superuser(site: Site) -> None:
    with psycopg.connect((site.secrets / "database_url").read_text()) as connection:
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'true'")


def test_search_finds_what_the_site_has_written(visitor: Visitor) -> None:
    assert visitor.page("/articles/?q=oak").status_code == 200


def test_visitor_signs_in_and_sees_a_task_done(site: Site, visitor: Visitor) -> None:
    assert visitor.sign_in().status_code == 200
    content = io.BytesIO()
    Picture.new("RGB", (1200, 900), "teal").save(content, "PNG")
    saved = visitor.submit(
        "/people/me/edit/",
        {"display_name": "Ada", "biography": ""},
        {"avatar": ("ada.png", content.getvalue(), "image/png")},
    )
    assert saved.status_code == 200

    deadline = time.monotonic() + TIMEOUT
    while not (paths := smaller_pictures(visitor)):
        assert time.monotonic() < deadline, (site.logs / "worker.log").read_text()
        time.sleep(0.2)

    answer = visitor.page(paths.pop())
    assert answer.status_code == 200
    assert Picture.open(io.BytesIO(answer.content)).width < 1200
    assert "Traceback" not in (site.logs / "worker.log").read_text()
    assert "Traceback" not in (site.logs / "beat.log").read_text()


def smaller_pictures(visitor: Visitor) -> set[str]:
    """Return the paths of pictures on the page that a worker has made."""
    page = visitor.page("/").text
    return {path for path in re.findall(r"/media/[^\" ,]+", page) if "small" in path}
