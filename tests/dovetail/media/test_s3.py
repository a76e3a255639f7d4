"""Uploads in a bucket, on a real S3 server."""

import base64
import json
import socketserver
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.base import ContentFile
from pytest_django.fixtures import Settings

from dovetail.devtools.embedded.seaweedfs import Server
from dovetail.media import s3 as module
from dovetail.media.s3 import S3Error, S3Storage
from tests.dovetail.media.buckets import options, store_in

pytestmark = pytest.mark.xdist_group("s3")

PICTURE = bytes(range(256)) * 8
NAME = "covers/0123.webp"


def get(url: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a link of the server
            return answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.fixture
def stored(s3: S3Storage) -> Iterator[str]:
    name = s3.save(NAME, ContentFile(PICTURE))
    yield name
    s3.delete(name)


def test_file_comes_back_as_it_was_stored(s3: S3Storage, stored: str) -> None:
    assert s3.exists(stored)
    assert s3.size(stored) == len(PICTURE)
    with s3.open(stored) as file:
        assert file.read() == PICTURE
    s3.delete(stored)
    assert not s3.exists(stored)
    with pytest.raises(FileNotFoundError):
        s3.open(stored)
    with pytest.raises(FileNotFoundError):
        s3.size(stored)


def test_link_shows_a_picture_and_downloads_the_rest(s3: S3Storage, stored: str) -> None:
    status, content, headers = get(s3.url(stored))

    assert (status, content) == (HTTPStatus.OK, PICTURE)
    assert headers["Content-Type"] == "image/webp"
    assert headers["Content-Disposition"] == "inline"
    assert headers["Cache-Control"] == "private, max-age=3600"

    page = s3.save("files/page.html", ContentFile(b"<script>alert(1)</script>"))
    assert s3.get_object_parameters(page)["ContentType"] == "application/octet-stream"
    # SeaweedFS guesses what has no other type than this.
    assert get(s3.url(page))[2]["Content-Disposition"] == "attachment"


def test_file_of_another_name_is_not_overwritten(s3: S3Storage, stored: str) -> None:
    assert s3.save(NAME, ContentFile(b"other")) != stored


def test_file_is_replaced_under_its_name(s3: S3Storage, stored: str) -> None:
    s3.replace(stored, ContentFile(b"newer"))

    with s3.open(stored) as file:
        assert file.read() == b"newer"


def test_only_an_unchanged_link_is_served(
    s3: S3Storage, stored: str, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a server for tests that serves any link proves nothing about signatures."""
    url = s3.url(stored)
    other = s3.save("covers/other.webp", ContentFile(PICTURE))
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]

    assert get(url.partition("?")[0])[0] == HTTPStatus.FORBIDDEN
    assert get(url.replace(stored, other))[0] == HTTPStatus.FORBIDDEN
    assert get(url.replace("Expires=3600", "Expires=7200"))[0] == HTTPStatus.FORBIDDEN
    assert get(url.replace(signature, signature[::-1]))[0] == HTTPStatus.FORBIDDEN

    forged = options(s3_server.environment()) | {"secret_key": "guessed"}
    assert get(S3Storage(**forged).url(stored))[0] == HTTPStatus.FORBIDDEN

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 2 * 3600)
    old = s3.url(stored)
    assert "Expires=3600" in old
    assert get(old)[0] == HTTPStatus.FORBIDDEN


def test_link_is_the_same_for_a_while_in_all_processes(
    s3: S3Storage, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a link that is new on each page, so that no browser keeps the picture."""
    another = S3Storage(**options(s3_server.environment()))

    def url_at(second: int, storage: S3Storage = s3) -> str:
        monkeypatch.setattr(time, "time", lambda: float(second))
        return storage.url(NAME)

    assert url_at(1_800_000) == url_at(1_801_799) == url_at(1_801_799, another)
    assert url_at(1_801_800) != url_at(1_801_799)


def test_links_need_no_server(s3_server: Server) -> None:
    dead = options(s3_server.environment() | {"S3_ENDPOINT_URL": "http://127.0.0.1:9"})

    assert (
        S3Storage(**dead)
        .url("covers/a b+ü.webp")
        .startswith(
            "http://127.0.0.1:9/uploads/covers/a%20b%2B%C3%BC.webp?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
        )
    )


def test_odd_names_are_signed_as_the_server_reads_them(s3: S3Storage) -> None:
    for name in ("covers/a b+ü&=?#%.webp", "covers/~(1)'*!.webp"):
        stored = s3.save(name, ContentFile(PICTURE))
        assert get(s3.url(stored))[0] == HTTPStatus.OK
        s3.delete(stored)


def test_threads_share_a_client(s3_server: Server) -> None:
    """Kind: a client for each request, since each has a thread of its own."""
    storage = S3Storage(**options(s3_server.environment()))
    with ThreadPoolExecutor(4) as threads:
        clients = set(threads.map(lambda _: id(storage.connection.meta.client), range(8)))

    assert clients == {id(storage.client)}


def test_signature_version_is_4_for_forms_of_the_client_too(s3: S3Storage) -> None:
    form = s3.client.generate_presigned_post("uploads", "a")
    link = s3.client.generate_presigned_url("get_object", {"Bucket": "uploads", "Key": "a"})

    assert form["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link


def test_custom_domain_is_not_signed(settings: Settings, s3_server: Server) -> None:
    storage = store_in(settings, s3_server, custom_domain="files.site.example")

    assert storage.url(NAME) == f"https://files.site.example/{NAME}"
    assert storage.get_object_parameters(NAME)["CacheControl"] == "public, max-age=3600"


def send(form: dict[str, dict[str, str]], content: bytes, **fields: str) -> int:
    """Send a file as a browser does, and return the status of the answer."""
    boundary = "----frontier"
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (form["fields"] | fields).items()
    )
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = parts + head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(str(form["url"]), data=body, method="POST")  # noqa: S310
    request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_form_takes_this_file_and_no_other(s3: S3Storage) -> None:
    name = "incoming/0123"
    form = s3.form(name, size=len(PICTURE), content_type="image/png", lifetime=60)

    assert send(form, PICTURE + b"!") >= HTTPStatus.BAD_REQUEST
    assert send(form, PICTURE[:-1]) >= HTTPStatus.BAD_REQUEST
    assert send(form, PICTURE, key="covers/other.webp") == HTTPStatus.FORBIDDEN
    assert send(form, PICTURE, **{"Content-Type": "text/html"}) == HTTPStatus.FORBIDDEN
    assert send(form, PICTURE, policy=loosened(form)) == HTTPStatus.FORBIDDEN
    expired = s3.form(name, size=len(PICTURE), content_type="image/png", lifetime=-1)
    assert send(expired, PICTURE) >= HTTPStatus.BAD_REQUEST
    assert not s3.exists(name)

    assert send(form, PICTURE) == HTTPStatus.CREATED
    assert s3.size(name) == len(PICTURE)


def loosened(form: dict[str, dict[str, str]]) -> str:
    """Return the form's policy with a larger limit; the signature is that of the original."""
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    policy["conditions"] = [
        ["content-length-range", 0, 10**9] if "content-length-range" in condition else condition
        for condition in policy["conditions"]
    ]
    return base64.b64encode(json.dumps(policy).encode()).decode()


def test_errors_are_those_of_a_file_system(s3_server: Server) -> None:
    dead = S3Storage(**options(s3_server.environment() | {"S3_ENDPOINT_URL": "http://127.0.0.1:9"}))
    refused = S3Storage(**options(s3_server.environment()) | {"secret_key": "guessed"})

    acts: list[Callable[[S3Storage], object]] = [
        lambda storage: storage.save(NAME, ContentFile(PICTURE)),
        lambda storage: storage.open(NAME),
        lambda storage: storage.exists(NAME),
        lambda storage: storage.size(NAME),
        lambda storage: storage.delete(NAME),
        lambda storage: storage.listdir(""),
        lambda storage: storage.get_modified_time(NAME),
    ]

    for storage in (dead, refused):
        for act in acts:
            with pytest.raises(S3Error, match="S3 could not"):
                act(storage)


@pytest.mark.parametrize("way", ["breaks off", "stalls"])
def test_body_that_does_not_end_is_an_error(
    s3_server: Server, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Kind: an error that is not one of boto3's, and a page that is a server error."""
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.3)
    asked: list[bytes] = []

    class Half(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                if line.startswith((b"GET ", b"HEAD ")):
                    asked.append(line)
                if line == b"\r\n":
                    break
            head = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "x"\r\n\r\n'
            self.wfile.write(head if asked[-1].startswith(b"HEAD") else head + b"half")
            if way == "stalls":
                self.rfile.read(1)  # until the client gives up

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Half) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        storage = S3Storage(**options(s3_server.environment() | {"S3_ENDPOINT_URL": url}))

        with pytest.raises(S3Error, match="S3 could not read"), storage.open(NAME) as file:
            file.read()
        server.shutdown()

    assert sum(line.startswith(b"GET") for line in asked) <= module.ATTEMPTS
