"""The proxy's Caddyfile: its limits, what it tells the application, and how it changes over."""

import http.server
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from config.settings.parts.http import REQUEST_FILES_MAX_BYTES
from tests.deploy import caddy
from tests.deploy.caddy import Caddy
from tests.repository import ROOT

CADDYFILE = caddy.CADDYFILE.read_text(encoding="utf-8")
needs_caddy = [
    pytest.mark.long("may have to build Caddy first"),
    pytest.mark.xdist_group("caddy"),
    pytest.mark.skipif(bool(caddy.missing()), reason=caddy.missing()),
]
REQUESTS = 120


class Application(http.server.ThreadingHTTPServer):
    """Answers with its name and the headers that it got, and to /readyz as it is told."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ready = True
        self.answered = 0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, name=name, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Application

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if len(self.rfile.read(length)) < length:
            return  # the proxy has refused the rest
        if self.path == "/readyz":
            self.answer(200 if self.server.is_ready else 503, "")
            return
        self.server.answered += 1
        self.answer(200, f"{self.server.name}\n{self.headers}")

    do_POST = do_GET  # noqa: N815 - the library's name

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def one() -> Iterator[Application]:
    with Application("one") as application:
        yield application
        application.shutdown()


@pytest.fixture
def two() -> Iterator[Application]:
    with Application("two") as application:
        yield application
        application.shutdown()


@pytest.fixture
def proxy(tmp_path: Path, one: Application) -> Iterator[Caddy]:
    """The proxy in front of one application, which it finds by its name."""
    proxy = Caddy(tmp_path, WEB_NAME="localhost", WEB_PORT=str(one.server_port))
    yield proxy
    proxy.stop()


def nginx(name: str) -> str:
    text = (ROOT / "docs/production.md").read_text(encoding="utf-8")
    [value] = re.findall(rf"^    {name} (\w+);", text, re.MULTILINE)
    return str(value)


def test_limits_are_those_of_nginx_in_the_docs() -> None:
    assert f"max_size {REQUEST_FILES_MAX_BYTES // 1024**2}MiB" in CADDYFILE
    assert f"read_header {nginx('client_header_timeout')}" in CADDYFILE
    assert f"idle {nginx('keepalive_timeout')}" in CADDYFILE


@pytest.mark.parametrize(("text", "seconds"), [("keepalive", 20)])
def test_proxy_closes_idle_connections_before_the_application(text: str, seconds: int) -> None:
    [value] = re.findall(rf"\t{text} (\d+)s", CADDYFILE)

    assert int(value) < seconds  # docs/production.md


class TestRunning:
    pytestmark = needs_caddy

    @pytest.mark.parametrize("route", ["found", "listed"])
    def test_caddy_takes_the_file(self, route: str) -> None:
        config = caddy.adapt(DOMAIN="site.example", WEB_ROUTE=route, WEB_UPSTREAMS="a:8000 b:8000")

        [server] = [
            server
            for server in config["apps"]["http"]["servers"].values()
            if server["listen"] == [":443"]
        ]
        assert server["read_header_timeout"] == 10_000_000_000

    def test_mistake_is_found(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "Caddyfile"
        file.write_text(CADDYFILE.replace("lb_policy", "lb_polcy"))
        monkeypatch.setattr(caddy, "CADDYFILE", file)

        with pytest.raises(AssertionError, match="lb_polcy"):
            caddy.adapt(DOMAIN="site.example")

    def test_file_is_formatted_as_caddy_formats_it(self) -> None:
        result = subprocess.run(
            [caddy.program(), "fmt", str(caddy.CADDYFILE)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert result.stdout == CADDYFILE

    def test_forged_headers_are_replaced(self, proxy: Caddy) -> None:
        forged = {
            "X-Forwarded-For": "192.0.2.7",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "evil.example",
        }

        answer = requests.get(
            proxy.https, headers=forged, verify=str(proxy.certificate), timeout=30
        )

        assert answer.status_code == 200
        assert "192.0.2.7" not in answer.text
        assert "evil.example" not in answer.text
        assert "X-Forwarded-Proto: https" in answer.text
        [address] = re.findall(r"X-Forwarded-For: (\S+)", answer.text)
        assert address in {"127.0.0.1", "::1"}

    def test_plain_http_is_redirected_once(self, proxy: Caddy) -> None:
        answer = requests.get(f"{proxy.http}/a?b=c", verify=str(proxy.certificate), timeout=30)

        assert [one.status_code for one in answer.history] == [308]
        assert answer.url == f"{proxy.https}/a?b=c"

    def test_body_that_is_too_large_is_refused(self, proxy: Caddy, one: Application) -> None:
        body = b"x" * (REQUEST_FILES_MAX_BYTES + 1)

        answer = requests.post(proxy.https, data=body, verify=str(proxy.certificate), timeout=60)

        assert answer.status_code == 413
        assert one.answered == 0

    def test_slow_header_is_ended(self, proxy: Caddy) -> None:
        with socket.create_connection(("localhost", proxy.ports[0]), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")

            assert b"200" not in client.recv(100)

    def test_application_that_starts_or_stops_gets_no_request(
        self, proxy: Caddy, one: Application, two: Application
    ) -> None:
        """What bin/deploy does: of REQUESTS, and as many with a body, none fails."""
        with requests.Session() as visitor:
            visitor.trust_env, visitor.verify = False, str(proxy.certificate)
            names = self.ask(visitor, proxy, REQUESTS // 3)
            two.is_ready = False
            proxy.reload(WEB_ROUTE="listed", WEB_UPSTREAMS=one.address)
            names |= self.ask(visitor, proxy, REQUESTS // 3)
            assert names == {"one"}
            two.is_ready = True
            proxy.reload(WEB_ROUTE="listed", WEB_UPSTREAMS=two.address)
            one.is_ready = False
            assert self.ask(visitor, proxy, REQUESTS // 3) == {"two"}
            one.shutdown()
            one.server_close()
            proxy.reload(WEB_NAME="localhost", WEB_PORT=str(two.server_port))
            assert self.ask(visitor, proxy, REQUESTS // 3) == {"two"}

    def test_listed_application_that_is_not_ready_is_left_out(
        self, proxy: Caddy, one: Application, two: Application
    ) -> None:
        two.is_ready = False
        proxy.reload(WEB_ROUTE="listed", WEB_UPSTREAMS=f"{one.address} {two.address}")
        with requests.Session() as visitor:
            visitor.trust_env, visitor.verify = False, str(proxy.certificate)
            while "two" in self.ask(visitor, proxy, 2):
                pass  # until the first check of its health

            assert self.ask(visitor, proxy, 20) == {"one"}

    @staticmethod
    def ask(visitor: requests.Session, proxy: Caddy, count: int) -> set[str]:
        names = set()
        for _ in range(count):
            for answer in (
                visitor.get(proxy.https, timeout=30),
                visitor.post(proxy.https, data="a=b", timeout=30),
            ):
                assert answer.status_code == 200
                names.add(answer.text.partition("\n")[0])
        return names
