"""Requests of the site to other servers, here to servers on this machine, over real sockets.

Only the resolver is replaced: it tells which addresses a name has.
"""

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_django.fixtures import Settings

from dovetail.http import outgoing
from tests.production.proxy import write_certificate

PRIVATE = [
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),  # noqa: S104
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192"),
    *("168.63.129.16", "192.0.2.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::1", "3fff::1", "fec0::1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::7f00:1", "100::1", "0:0:0:0:0:ffff:c0a8:101"),
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"]


class Server:
    """A server over HTTP, or HTTPS for `localhost`, that notes what it is asked.

    Attributes:
        answers: what to do for each path.
        asked: the paths that were asked for.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append(self.path)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.answers.get(self.path, ok)(self)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_port
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


def ok(handler: BaseHTTPRequestHandler) -> None:
    body = json.dumps({"ok": True}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def redirect(url: str, status: int = 302) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def development(settings: Settings) -> None:
    settings.OUTGOING_PRIVATE_HOSTS = ["site.example"]
    settings.OUTGOING_PLAIN_HTTP = True


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Return the addresses of names, one list for each time that the resolver is asked."""
    answers: dict[str, list[list[str]]] = {}

    def resolve(host: str, port: int) -> list[str]:
        del port
        if host not in answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]

    monkeypatch.setattr(outgoing, "resolve", resolve)
    return answers


def ask(url: str, **options: Any) -> requests.Response:
    with outgoing.Session(**options) as session:
        return session.get(url)


@pytest.mark.parametrize("text", PRIVATE)
def test_private_address_is_refused_in_every_spelling(text: str) -> None:
    address = ipaddress.ip_address(text)

    assert not outgoing.is_public(address)
    assert not outgoing.is_allowed("evil.example", address)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_allowed(text: str) -> None:
    assert outgoing.is_allowed("login.example", ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("item", "host", "text", "expected"),
    [
        ("login.internal", "login.internal", "10.1.2.3", True),
        ("login.internal", "LOGIN.internal", "fd00::1", True),
        ("login.internal", "login.internal", "127.0.0.1", True),
        ("login.internal", "other.internal", "10.1.2.3", False),
        ("login.internal", "x.login.internal", "10.1.2.3", False),
        # A name is in the hands of who runs its DNS.
        ("login.internal", "login.internal", "169.254.169.254", False),
        ("login.internal", "login.internal", "::ffff:169.254.169.254", False),
        ("login.internal", "login.internal", "fd00:ec2::254", False),
        ("login.internal", "login.internal", "0.0.0.0", False),  # noqa: S104
        ("10.1.2.0/24", "any.example", "10.1.2.9", True),
        ("10.1.2.0/24", "any.example", "10.1.3.9", False),
        ("10.1.2.0/24", "any.example", "::ffff:10.1.2.9", True),
        ("169.254.169.254/32", "any.example", "169.254.169.254", True),
    ],
)
def test_setting_allows_what_it_names(
    settings: Settings, item: str, host: str, text: str, *, expected: bool
) -> None:
    settings.OUTGOING_PRIVATE_HOSTS = [item]

    assert outgoing.is_allowed(host, ipaddress.ip_address(text)) is expected


def test_named_host_is_asked(server: Server, names: dict[str, list[list[str]]]) -> None:
    names["site.example"] = [["127.0.0.1"]]

    assert ask(f"http://site.example:{server.port}/").json() == {"ok": True}


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_odd_spelling_of_an_address_does_not_get_through(server: Server, host: str) -> None:
    """With the real resolver, which knows what these mean."""
    with pytest.raises(requests.RequestException):
        ask(f"https://{host}:{server.port}/")

    assert server.asked == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]])
def test_private_host_is_not_asked(
    names: dict[str, list[list[str]]],
    addresses: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    names["evil.example"] = [addresses]
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(0.05)
        with pytest.raises(outgoing.RefusedError, match=r"evil\.example has a private address"):
            ask(f"https://evil.example:{listener.getsockname()[1]}/")
        with pytest.raises(TimeoutError):
            listener.accept()

    assert "OUTGOING_PRIVATE_HOSTS" in caplog.text


def test_redirect_is_checked_again(server: Server, names: dict[str, list[list[str]]]) -> None:
    """Kind: a public server that sends the site to the metadata of its cloud."""
    names["site.example"] = [["127.0.0.1"]]
    names["inside.example"] = [["127.0.0.1"]]
    server.answers["/"] = redirect(f"https://inside.example:{server.port}/secret")

    with pytest.raises(outgoing.RefusedError):
        ask(f"http://site.example:{server.port}/")

    assert server.asked == ["/"]


def test_name_is_resolved_once_for_each_request_and_never_again(
    server: Server, names: dict[str, list[list[str]]], settings: Settings
) -> None:
    """Kind: DNS rebinding, a name that has another address when it is connected to."""
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1/32", "site.example"]
    names["site.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    with outgoing.Session() as session:
        url = f"http://site.example:{server.port}/"
        assert session.get(url).status_code == 200
        with pytest.raises(outgoing.RefusedError):
            session.get(url)  # even if the connection could be used again

    assert server.asked == ["/"]


def test_next_address_is_tried(server: Server, names: dict[str, list[list[str]]]) -> None:
    names["site.example"] = [["::1", "127.0.0.1"]]  # it listens on the second one

    assert ask(f"http://site.example:{server.port}/").status_code == 200


def test_name_that_cannot_be_one_is_an_error_of_the_connection() -> None:
    """Kind: an exception that no caller expects."""
    with pytest.raises(requests.ConnectionError):
        ask(f"https://{'a' * 70}.example/")


@pytest.mark.usefixtures("names")
def test_unknown_name_is_an_error_of_the_connection() -> None:
    with pytest.raises(requests.ConnectionError, match="not known"):
        ask("https://nowhere.example/")


@pytest.mark.parametrize("plain", [True, False])
def test_plain_http_is_for_named_hosts_of_development(
    server: Server, names: dict[str, list[list[str]]], settings: Settings, *, plain: bool
) -> None:
    settings.OUTGOING_PLAIN_HTTP = plain
    names["site.example"] = [["127.0.0.1"]]
    host = "login.example" if plain else "site.example"

    for url in (f"http://{host}:{server.port}/", "ftp://login.example/", "file:///etc/passwd"):
        with pytest.raises((outgoing.RefusedError, requests.exceptions.InvalidSchema)):
            ask(url)

    assert server.asked == []


def test_redirect_to_plain_http_is_refused(
    server: Server, names: dict[str, list[list[str]]]
) -> None:
    names["site.example"] = [["127.0.0.1"]]
    server.answers["/"] = redirect("http://login.example/")

    with pytest.raises(outgoing.RefusedError, match="use https"):
        ask(f"http://site.example:{server.port}/")


@pytest.mark.parametrize("target", ["http://[::1", "https://\xff\xfe/", "http://a:b/", "//"])
def test_redirect_to_nowhere_is_an_error_of_requests(
    server: Server, names: dict[str, list[list[str]]], target: str
) -> None:
    """Kind: another exception, which becomes an error page whenever a foreign server wants it."""
    names["site.example"] = [["127.0.0.1"]]
    server.answers["/"] = redirect(target)

    with pytest.raises(requests.RequestException):
        ask(f"http://site.example:{server.port}/")


def test_redirects_are_few(server: Server, names: dict[str, list[list[str]]]) -> None:
    names["site.example"] = [["127.0.0.1"]]
    server.answers["/"] = redirect("/")

    with pytest.raises(requests.TooManyRedirects):
        ask(f"http://site.example:{server.port}/")

    assert len(server.asked) == outgoing.REDIRECTS + 1


def test_body_is_not_sent_on(server: Server, names: dict[str, list[list[str]]]) -> None:
    """Kind: a client's secret that a token endpoint passes on with a 307."""
    names["site.example"] = [["127.0.0.1"]]
    server.answers["/token"] = redirect("/elsewhere", 307)
    with outgoing.Session() as session:
        answer = session.post(f"http://site.example:{server.port}/token", {"client_secret": "x"})

    assert answer.status_code == 307
    assert server.asked == ["/token"]


def test_large_answer_is_refused(server: Server, names: dict[str, list[list[str]]]) -> None:
    names["site.example"] = [["127.0.0.1"]]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b"x" * 1000)
        except OSError:
            pass  # the site has hung up

    server.answers["/"] = endless

    with pytest.raises(outgoing.TooLargeError):
        ask(f"http://site.example:{server.port}/", most=50_000)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_answer_that_trickles_is_ended(
    server: Server, names: dict[str, list[list[str]]], part: str
) -> None:
    """Kind: a byte a second, before each of which a timeout starts again."""
    names["site.example"] = [["127.0.0.1"]]
    gone = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        if part == "body":
            handler.send_response(200)
            handler.end_headers()
        try:
            while not gone.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            pass

    server.answers["/"] = trickle
    try:
        with pytest.raises(outgoing.TooSlowError):
            ask(f"http://site.example:{server.port}/", total=0.2)
    finally:
        gone.set()


def test_certificate_is_checked_for_the_name(
    tmp_path: Path, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting to an address leaves TLS with the name."""
    certificate = tmp_path / "certificate.pem"
    write_certificate(certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = Server(certificate)
    names["localhost"] = names["site.example"] = [["127.0.0.1"]]
    try:
        with pytest.raises(outgoing.RefusedError):
            ask(f"https://localhost:{server.port}/")
        with pytest.raises(requests.exceptions.SSLError):
            ask(f"https://site.example:{server.port}/")
    finally:
        server.http.shutdown()
        server.http.server_close()


def test_certificate_of_the_name_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    certificate = tmp_path / "certificate.pem"
    write_certificate(certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    settings.OUTGOING_PRIVATE_HOSTS = ["localhost"]
    settings.OUTGOING_PLAIN_HTTP = False
    server = Server(certificate)
    try:
        assert ask(f"https://localhost:{server.port}/").json() == {"ok": True}
    finally:
        server.http.shutdown()
        server.http.server_close()
