"""An attacker who sends too much, or never finishes, to the server as it is deployed."""

import http.client
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.cable.servers import wait_until
from tests.production.conftest import Site, Visitor, wait_until_it_answers
from tests.production.image import Web
from tests.production.test_production import noise

KB, MB = 1024, 1024 * 1024
FORWARDED = b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\n"
LOG_IN = "/accounts/login/"
PATHS = ["/", LOG_IN, "/articles/new/", "/people/me/edit/", "/nothing/", "/livez"]
MORE = pytest.mark.long("sends up to 400 MB to another path")
PATIENCE = 60  # seconds for an answer from a busy machine
SLOW_BODIES = 300
QUICK = """
from config.settings.production import *

REQUEST_TIMEOUT = 1
WEB_HEADER_TIMEOUT = 1
"""


@pytest.fixture(scope="module")
def hurried(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Start a server that waits a second for what production gives more time."""
    folder = tmp_path_factory.mktemp("hurried")
    (folder / "quick.py").write_text(QUICK)
    web = Web(
        site.image,
        folder / "web.log",
        DJANGO_SETTINGS_MODULE="quick",
        PYTHONPATH=str(folder),
        WEB_CONCURRENCY="1",
    )
    try:
        wait_until_it_answers(web)
        yield web
    finally:
        web.stop()


def host_of(web: Web) -> str:
    """Return the host of the site, as requests must name it."""
    return urlsplit(web.environment["SITE_URL"]).netloc


def as_proxied(web: Web) -> bytes:
    """Return the headers of the proxy in front."""
    return f"Host: {host_of(web)}\r\n".encode() + FORWARDED


def post(web: Web, path: str, *headers: bytes) -> socket.socket:
    """Send the head of a request."""
    client = socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE)
    lines = [b"POST " + path.encode() + b" HTTP/1.1", *headers]
    client.sendall(b"\r\n".join(lines) + b"\r\n" + as_proxied(web) + b"\r\n")
    return client


def answer(client: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    received = b""
    while chunk := client.recv(64 * KB):
        received += chunk
    return received


def reply(client: socket.socket) -> http.client.HTTPResponse:
    """Return the next response, without waiting until the server closes the connection."""
    response = http.client.HTTPResponse(client, method="POST")
    response.begin()
    return response


def processes(web: Web) -> list[int]:
    children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text()
    return [web.process.pid, *map(int, children.split())]


def memory(web: Web) -> int:
    """Return the most memory that each process has used so far, summed, in bytes."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in processes(web)]
    peaks = [text.split("VmHWM:")[1].split()[0] for text in status]
    return sum(int(peak) * KB for peak in peaks)


def temporary_files(web: Web) -> dict[str, int]:
    """Return the sizes of open temporary files. Their names are deleted while they are open."""
    found = {}
    for pid in processes(web):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
                if target.startswith(tempfile.gettempdir()) and target.endswith("(deleted)"):
                    found[str(link)] = link.stat().st_size
            except FileNotFoundError:
                continue  # closed in the meantime
    return found


linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")


@linux
@pytest.mark.parametrize(
    "path", [LOG_IN, *(pytest.param(path, marks=MORE) for path in PATHS if path != LOG_IN)]
)
def test_endless_body_is_kept_nowhere(site: Site, path: str) -> None:
    """Kind: a body that Django writes to disk before anything has looked at it."""
    before = memory(site.web)
    chunk = b"%x\r\n" % MB + b"x" * MB + b"\r\n"
    kept = 0
    with closing(post(site.web, path, b"Transfer-Encoding: chunked")) as client:
        try:
            for _ in range(400):
                client.sendall(chunk)
                kept = max(kept, *temporary_files(site.web).values(), 0)
        except OSError:
            pass  # the server has closed the connection

    assert kept <= 10 * MB
    assert not temporary_files(site.web)
    assert memory(site.web) - before < 64 * MB
    assert requests.get(f"http://127.0.0.1:{site.web.port}/livez", timeout=PATIENCE).ok


@pytest.mark.parametrize("path", PATHS)
def test_body_that_is_announced_too_large_is_not_waited_for(site: Site, path: str) -> None:
    with closing(post(site.web, path, b"Content-Length: 419430400")) as client:
        response = reply(client)

    assert response.status == (200 if path == "/livez" else 413)
    assert response.headers["Connection"] == "close"


def test_connection_of_a_body_that_is_too_large_is_closed(site: Site) -> None:
    with closing(post(site.web, "/", b"Content-Length: 419430400")) as client:
        assert answer(client).startswith(b"HTTP/1.1 413 ")


def test_page_for_what_is_too_large_has_our_headers_and_words(site: Site) -> None:
    with closing(post(site.web, "/", b"Content-Length: 419430400")) as client:
        response = reply(client)
        page = response.read()

    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" in response.headers
    assert b"too large" in page


def test_browser_that_sends_too_large_a_file_sees_why(visitor: Visitor) -> None:
    """Kind: a connection that closes while the browser sends looks like a network error."""
    visitor.sign_in()

    response = visitor.submit(
        "/people/me/edit/", {"display_name": "Ada"}, {"avatar": ("a.png", b"x" * 40 * MB)}
    )

    assert response.status_code == 413
    assert "too large" in response.text


def test_largest_allowed_picture_is_saved(visitor: Visitor) -> None:
    visitor.sign_in()
    content = noise(4_900_000)
    assert 4_500_000 < len(content) < 5 * MB

    saved = visitor.submit(
        "/people/me/edit/",
        {"display_name": "Ada", "biography": ""},
        {"avatar": ("ada.png", content, "image/png")},
    )

    assert saved.status_code == 200
    assert "Profile saved" in saved.text


def test_file_over_the_forms_own_limit_is_an_error_of_the_form(visitor: Visitor) -> None:
    visitor.sign_in()

    response = visitor.submit(
        "/people/me/edit/", {"display_name": "Ada"}, {"avatar": ("a.png", noise(7_000_000))}
    )

    assert response.status_code == 422
    assert "larger than 5 MB" in response.text


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PRI * HT", id="part of HTTP/2"),
        pytest.param(b"GET / HT", id="part of a line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", id="part of a header"),
    ],
)
def test_connection_that_sends_no_request_is_closed(hurried: Web, start: bytes) -> None:
    """Kind: what costs the attacker a connection, and the server one for ever."""
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=PATIENCE) as client:
        client.sendall(start)

        assert answer(client) == b""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/", marks=pytest.mark.long("waits at another path")),
        pytest.param("/accounts/login/", marks=pytest.mark.long("waits at another path")),
        "/people/me/edit/",
    ],
)
@pytest.mark.parametrize("head", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_unfinished_body_is_ended(hurried: Web, path: str, head: bytes) -> None:
    with closing(post(hurried, path, head)) as client:
        client.sendall(b"1\r\nx\r\n")
        received = answer(client)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in received.lower()
    assert b"That took too long" in received


def test_slow_bodies_do_not_stop_other_requests(site: Site) -> None:
    """Kind: a worker, a thread or a connection for each request that never ends."""
    with ExitStack() as open_sockets:
        for _ in range(SLOW_BODIES):
            client = post(site.web, "/accounts/login/", b"Content-Length: 1000")
            open_sockets.enter_context(closing(client)).sendall(b"x")

        for path in ("/livez", "/accounts/login/"):
            response = requests.get(
                f"http://127.0.0.1:{site.web.port}{path}",
                headers={"Host": host_of(site.web), "X-Forwarded-Proto": "https"},
                timeout=PATIENCE,
            )
            assert response.status_code == 200


@linux
def test_client_that_goes_leaves_nothing(site: Site) -> None:
    with closing(post(site.web, "/articles/new/", b"Content-Length: 9000000")) as client:
        client.sendall(b"x" * 4 * MB)

    with site.visitor() as visitor:

        def is_gone() -> bool:
            visitor.page("/")  # any request after it
            return not temporary_files(site.web)

        wait_until(is_gone, "the file that was being sent is gone")


RAW = [
    b"GET /articles/\xff\xfe/ HTTP/1.1\r\n%s\r\n",
    b"GET /articles/%%ff%%fe/?q=%%ff&\xff=\xfe HTTP/1.1\r\n%s\r\n",
    b"GET /articles/?%%00=\xc3\x28 HTTP/1.1\r\n%s\r\n",
    b"GET //evil.example/%%2e%%2e/ HTTP/1.1\r\n%s\r\n",
    b"GET http://localhost:x/ HTTP/1.1\r\n%s\r\n",
    b"GET / HTTP/1.1\r\n%sCookie: \xff\xfe=\x80; __Host-sessionid=\xe9\r\n\r\n",
    b"GET / HTTP/1.1\r\n%sUser-Agent: \xff\r\nAccept-Language: \xfe\r\nReferer: \xfd\r\n\r\n",
    b"POST /accounts/login/ HTTP/1.1\r\n%sContent-Type: \xff/\xfe\r\nContent-Length: 1\r\n\r\n\xff",
    b"POST /accounts/login/ HTTP/1.1\r\n%sContent-Length: 99999999999999999999999\r\n\r\nx",
    b"POST /accounts/login/ HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /people/me/edit/ HTTP/1.1\r\n%sContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST /accounts/login/ HTTP/1.1\r\n%sContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n%s\r\n",
    b"\xff\xfe / HTTP/1.1\r\n%s\r\n",
]


@pytest.mark.parametrize("request_", RAW, ids=range(len(RAW)))
def test_bytes_that_are_no_text_are_no_server_error(hurried: Web, request_: bytes) -> None:
    """Kind: what a client library would never send."""
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=PATIENCE) as client:
        client.sendall(request_ % (as_proxied(hurried) + b"Connection: close\r\n"))
        received = answer(client)

    assert not received.startswith(b"HTTP/1.1 5"), received[:200]
    assert b"Traceback" not in received
    assert "Traceback" not in hurried.log.read_text()
