"""What slow, greedy and broken clients do to others: nothing."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.faults.conftest import HOST, Site

MB = 1024 * 1024
SLOW = 1000
HEAD = f"Host: {HOST}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n".encode()
PATIENCE = 60  # seconds


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.web.port), timeout=PATIENCE)


def read_all(client: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionError:
        pass  # the server has closed it with what we sent still unread
    return received


@pytest.fixture
def _still_answers(site: Site) -> Iterator[None]:
    before = site.web.log.stat().st_size
    yield
    assert site.get("/faults/text/").status_code == 200
    assert b"Traceback" not in site.web.log.read_bytes()[before:]


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\n" + HEAD, b"POST / HTTP/1.1\r\nContent-Length: 99\r\n"],
    ids=["nothing", "line", "headers", "body"],
)
def test_a_thousand_slow_clients_keep_nobody_out(site: Site, start: bytes) -> None:
    """Expected: others are answered while they wait."""
    with ExitStack() as stack:
        for _ in range(SLOW):
            client = stack.enter_context(closing(connect(site)))
            client.sendall(start)

        for path in ("/livez", "/faults/text/", "/articles/"):
            assert site.get(path).status_code == 200


@pytest.mark.usefixtures("_still_answers")
@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET / HTTP/1.1\r\n%sX-Long: %s\r\n\r\n" % (HEAD, b"x" * 10 * MB), {b"", b"400", b"431"}),
        (b"GET / HTTP/1.1\r\n%s%s\r\n" % (HEAD, b"X-A: b\r\n" * 1_000_000), {b"", b"400", b"431"}),
        (b"GET /%s HTTP/1.1\r\n%s\r\n" % (b"x" * 10 * MB, HEAD), {b"", b"400", b"414", b"431"}),
        (
            b"POST /accounts/login/ HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s"
            % (HEAD, 10 * MB, b"x" * 10 * MB),
            {b"413"},
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512, {b"", b"400"}),
        (b"GET / HTTP/9.9\r\n%s\r\n" % HEAD, {b"", b"400", b"505"}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {b"", b"400", b"505"}),
        (b"GET / HTTP/1.1\nHost: x\n\n", {b"", b"200", b"301", b"400"}),
        (
            b"POST / HTTP/1.1\r\n%sContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /admin/ HTTP/1.1\r\n\r\n" % HEAD,
            {b"", b"400", b"405", b"403"},
        ),
    ],
    ids=[
        "header", "headers", "path", "body", "tls", "version", "http2", "bare newlines", "smuggled",
    ],
)  # fmt: skip
def test_oversized_and_malformed_requests_are_refused(
    site: Site, request_: bytes, statuses: set[bytes]
) -> None:
    with closing(connect(site)) as client:
        try:
            client.sendall(request_)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all of it was sent
        answer = read_all(client)

    assert answer[9:12] in statuses
    assert answer.count(b"HTTP/1.1 ") <= 1 + (b"405" in answer)


@pytest.mark.usefixtures("_still_answers")
def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    paths = ["/faults/text/", "/no-such-page/", "/faults/kept/", "/livez"]
    sent = b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), HEAD) for path in paths[:-1])
    sent += b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (paths[-1].encode(), HEAD)
    with closing(connect(site)) as client:
        client.sendall(sent)
        answer = read_all(client)

    found = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert found == [b"200", b"404", b"200", b"200"]
