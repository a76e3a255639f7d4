"""The production ASGI application, started as the image starts it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from config import env
from config.startup import SOCKET_THREADS
from dovetail.cable.database import THREADS
from dovetail.devtools.embedded.testing import free_port
from tests.cable.servers import wait_until
from tests.config.test_settings import MORE, PRODUCTION, run

ENTRYPOINT = env.BASE_DIR / "nix" / "entrypoint.py"
LIMIT = 120  # seconds until the server answers
REQUESTS = 12
POOL_SIZE = 8  # the default in config/asgi.py
LABEL = "asgi-pool-test"  # of the server's database connections
HEADERS = {"Host": "site.example", "X-Forwarded-Proto": "https"}


@pytest.fixture
def deployment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a deployment whose front end is built and collected."""
    (tmp_path / "vite.json").write_text("{}")
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {"a.css": "a.css"}}')
    (tmp_path / "deployed.py").write_text(
        "from config.settings.production import *\n"
        f"STATIC_ROOT = {str(tmp_path)!r}\n"
        f"DJANGO_VITE['default']['manifest_path'] = {str(tmp_path / 'vite.json')!r}\n"
    )
    return PRODUCTION | {
        "DJANGO_SETTINGS_MODULE": "deployed",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{env.BASE_DIR / 'project'}",
        "ENV_FILE": os.devnull,
        "TRUSTED_PROXY_COUNT": "1",
        "VALKEY_URL": os.environ["VALKEY_URL"],
        "CELERY_BROKER_URL": os.environ["CELERY_BROKER_URL"],
    }


def database_url() -> str:
    """Return the URL of this test's database, with a label for connections."""
    server = connection.settings_dict
    return (
        f"postgres://{server['HOST']}:{server['PORT']}/{server['NAME']}"
        f"?user={server['USER']}&password={server['PASSWORD']}&application_name={LABEL}"
    )


@contextmanager
def web(log: Path, environment: dict[str, str]) -> Iterator[HTTPConnection]:
    """Run the image's web role and yield a connection to it."""
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, ENTRYPOINT, "web", "--host", "127.0.0.1"],
            env={"WEB_DRAIN_SECONDS": "0"}
            | environment
            | {"PATH": path, "PORT": str(port), "WEB_CONCURRENCY": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + LIMIT
        while not is_listening(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        with closing(HTTPConnection("127.0.0.1", port, timeout=LIMIT)) as client:
            yield client
    finally:
        process.terminate()
        process.wait(LIMIT)


def is_listening(port: int) -> bool:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=LIMIT)) as client:
            client.request("GET", "/livez")
            return client.getresponse().status == 200
    except OSError:
        return False


def backends() -> set[int]:
    """Return the processes of PostgreSQL that serve the labelled connections."""
    with connection.cursor() as cursor:
        # Other workers of the tests have databases of their own on the same server.
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            [LABEL],
        )
        return {pid for (pid,) in cursor}


def status_of(client: HTTPConnection, path: str) -> int:
    client.request("GET", path, headers=HEADERS)
    response = client.getresponse()
    response.read()
    return response.status


def backends_of_requests(log: Path, environment: dict[str, str]) -> list[set[int]]:
    """Return the server's database connections after each of some requests."""
    wait_until(lambda: not backends(), "an earlier server is still connected")
    with web(log, environment) as client:
        seen = []
        for _ in range(REQUESTS):
            assert status_of(client, "/readyz") == 200, log.read_text()
            seen.append(backends())
    return seen


@pytest.mark.usefixtures("transactional_db")
def test_requests_share_the_connections_of_a_pool(
    deployment: dict[str, str], tmp_path: Path
) -> None:
    """Kind: a default that comes too late, here that of DATABASE_POOL_SIZE under ASGI.

    Without a pool, each request opens a connection and closes it.
    """
    seen = backends_of_requests(tmp_path / "log", deployment | {"DATABASE_URL": database_url()})

    assert set.intersection(*seen), f"No connection outlived a request: {seen}"
    assert len(set.union(*seen)) <= POOL_SIZE


@MORE
@pytest.mark.usefixtures("transactional_db")
def test_pool_size_in_the_environment_wins(deployment: dict[str, str], tmp_path: Path) -> None:
    changes = {"DATABASE_URL": database_url(), "DATABASE_POOL_SIZE": "1"}

    seen = backends_of_requests(tmp_path / "log", deployment | changes)

    assert len(set.union(*seen)) == 1


OWN = "Host: site.example"
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://site.example\r\n"
    "Sec-WebSocket-Protocol: actioncable-v1-json"
)
# A view that needs no front end, unlike a page.
VIEW = "/accounts/2fa/webauthn/login/"
JSON = "Accept: application/json"
REQUESTS_BY_HOST = [
    (400, "GET", VIEW, "Host: evil.example"),
    (400, "GET", VIEW, f"{OWN}\r\n{OWN}"),
    (400, "GET", VIEW, f"{OWN}\r\nHost: evil.example"),
    (400, "GET", VIEW, "Accept: */*"),
    (400, "GET", VIEW, "Host: ada@site.example"),
    (400, "GET", VIEW[1:], OWN),
    (400, "POST", VIEW, "Host: SITE.example"),
    (400, "POST", VIEW, "Host: site.example:8443"),
    (302, "GET", VIEW, "Host: site.example:8443"),
    (200, "GET", VIEW, f"{OWN}\r\n{JSON}"),
    (200, "GET", VIEW, f"Host: site.example:443\r\n{JSON}"),
    (200, "GET", "/livez", "Host: evil.example"),
    (200, "GET", "/livez", "Accept: */*"),
    (403, "GET", "/cable", f"Host: SITE.example\r\n{WEBSOCKET}"),
    (403, "GET", "/cable", f"{OWN}\r\n{OWN}\r\n{WEBSOCKET}"),
    (403, "GET", "/cable", f"Host: evil.example\r\n{WEBSOCKET}"),
    (101, "GET", "/cable", f"{OWN}\r\n{WEBSOCKET}"),
    (101, "GET", "/cable", f"Host: site.example:443\r\n{WEBSOCKET}"),
]
SECURE = f"{OWN}\r\n{JSON}\r\nX-Forwarded-Proto: https"
BODY = "\r\n\r\nabc"
CHUNKS = "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
NO_CHUNKS = "\r\n\r\n0\r\n\r\n"
SECOND = f"GET /livez HTTP/1.1\r\n{OWN}\r\n\r\n"
# What the server answers, with how many answers, to a request line with headers and a body.
HOSTILE_REQUESTS = [
    # Headers that proxies pass on, and that Python reads like those which they set.
    ([301], f"GET {VIEW}", f"{OWN}\r\nX_Forwarded_Proto: https"),
    ([301], f"GET {VIEW}", f"{OWN}\r\nX-Forwarded-Proto: http\r\nX-Forwarded_Proto: https"),
    # Other words for the host.
    ([200], f"GET {VIEW}", f"{SECURE}\r\nX-Forwarded-Host: evil.example"),
    ([200], f"GET {VIEW}", f"{SECURE}\r\nForwarded: for=1.2.3.4;host=evil.example;proto=http"),
    ([200], f"GET http://evil.example{VIEW}", SECURE),  # the host is that of the header
    ([400], f"GET http://site.example{VIEW}", SECURE.replace(OWN, "Host: evil.example")),
    ([400], f"GET http://evil.example{VIEW}", "X-Forwarded-Proto: https"),
    ([400], "GET site.example:443", SECURE),
    ([400], "OPTIONS *", SECURE),
    # Two lengths, of which a proxy may take the other one.
    ([400], f"POST {VIEW}", f"{SECURE}\r\nContent-Length: 3\r\nContent-Length: 4{BODY}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nContent-Length: 3, 3{BODY}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nContent-Length: +3{BODY}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nTransfer-Encoding: xchunked{CHUNKS}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nTransfer-Encoding : chunked{CHUNKS}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nTransfer-Encoding: chunked, identity{CHUNKS}"),
    ([400], f"POST {VIEW}", f"{SECURE}\r\nX: 1\r\n folded{CHUNKS}"),
    # Another request in what one of the lengths takes for the body: it is not answered.
    (
        [415],
        "POST /csp-reports/",
        f"{SECURE}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked{NO_CHUNKS}{SECOND}",
    ),
    ([431], f"GET {VIEW}", SECURE + "".join(f"\r\nX-{number}: 1" for number in range(150))),
    ([431], f"GET {VIEW}", f"{SECURE}\r\nX: {'x' * 20_000}"),
]


@pytest.mark.usefixtures("transactional_db")
def test_server_answers_to_one_spelling_of_its_host(
    deployment: dict[str, str], tmp_path: Path
) -> None:
    """Byte for byte, because clients and test clients correct what they send."""
    with web(tmp_path / "log", deployment | {"DATABASE_URL": database_url()}) as client:
        answers = [
            (raw_status(client.port, method, target, lines), method, target, lines)
            for _, method, target, lines in REQUESTS_BY_HOST
        ]
        hostile = [
            (statuses(client.port, target, lines), target, lines)
            for _, target, lines in HOSTILE_REQUESTS
        ]

    assert answers == REQUESTS_BY_HOST
    assert hostile == HOSTILE_REQUESTS


def statuses(port: int, target: str, lines: str) -> list[int]:
    """Return the statuses of all answers to what may be one request or two."""
    head = f"{target} HTTP/1.1\r\nConnection: close\r\n{lines}"
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connected:
        connected.sendall((head if "\r\n\r\n" in lines else f"{head}\r\n\r\n").encode())
        with connected.makefile("rb") as answer:
            return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer.read())]


def raw_status(port: int, method: str, target: str, lines: str) -> int:
    """Return the status of the answer to a request that came through a proxy."""
    head = f"{method} {target} HTTP/1.1\r\n{lines}"
    end = "X-Forwarded-Proto: https\r\nContent-Length: 0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connected:
        connected.sendall(f"{head}\r\n{end}".encode())
        with connected.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def test_sockets_have_connections_of_their_own() -> None:
    assert SOCKET_THREADS == THREADS


@pytest.mark.parametrize(
    ("module", "threads", "size"),
    [
        pytest.param("config.asgi", "4", POOL_SIZE, marks=MORE),
        ("config.asgi", "16", 16 + SOCKET_THREADS),
        ("config.celery", "4", None),
    ],
)
def test_only_the_web_server_uses_a_pool(
    deployment: dict[str, str], module: str, threads: str, size: int | None
) -> None:
    """Kind: pages that fail under load, because there are more of them than connections."""
    code = (
        f"import json, {module}; from django.conf import settings; "
        "print(json.dumps(settings.DATABASES['default'].get('OPTIONS', {}).get('pool')))"
    )
    result = run("-c", code, **deployment, WEB_THREADS=threads)

    assert result.returncode == 0, result.stderr
    pool = json.loads(result.stdout)
    assert (pool and pool["max_size"]) == size


def test_default_that_comes_too_late_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a default that comes too late is ignored silently."""
    monkeypatch.setattr(env, "names_read", set())
    monkeypatch.setattr(env, "_defaults", {})
    monkeypatch.delenv("THING", raising=False)
    env.use_defaults({"THING": "1"})
    env.use_defaults({"THING": "2"})
    assert env.int("THING", 0) == 2

    with pytest.raises(
        ImproperlyConfigured,
        match=r"The default of THING comes too late, because THING has been read already",
    ):
        env.use_defaults({"OTHER": "1", "THING": "3"})
    assert env.int("THING", 0) == 2
    assert env.str("OTHER", "") == ""


def test_late_default_stops_a_server_in_one_line() -> None:
    code = (
        "from config.startup import one_line_errors\n"
        "with one_line_errors():\n"
        "    from config import env\n"
        "    env.use_defaults({'DATABASE_POOL_SIZE': '8'})"
    )
    result = run("-c", code, PYTHONPATH="project", DJANGO_SETTINGS_MODULE="config.settings.dev")

    assert result.returncode == 1
    assert result.stderr.startswith("error: The default of DATABASE_POOL_SIZE comes too late")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "module", ["mysite.settings", pytest.param("config.settings.prod", marks=MORE)]
)
def test_settings_module_of_another_project_is_named(module: str) -> None:
    """Kind: a variable that a person's shell has from elsewhere."""
    result = run("project/manage.py", "check", DJANGO_SETTINGS_MODULE=module)

    assert result.returncode == 1
    assert result.stderr == (
        f"error: DJANGO_SETTINGS_MODULE in the environment names {module}, which does not exist. "
        "Unset it, or set it to a module of config.settings.\n"
    )
