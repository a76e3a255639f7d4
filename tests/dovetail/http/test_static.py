import gzip
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import AsyncRequestFactory, RequestFactory
from pytest_django.fixtures import Settings

from config.settings.parts.http import MIDDLEWARE
from dovetail.http import static as static_module
from dovetail.http.static import KeptFiles, StaticFilesMiddleware, with_static
from tests.dovetail.http.loop import Loop

pytestmark = pytest.mark.django_db  # the end of a response looks at the connection

SCRIPT = "console.log('dovetail');\n" * 100


@pytest.fixture(autouse=True)
def collected(tmp_path: Path, settings: Settings) -> None:
    source = tmp_path / "source"
    (source / "assets").mkdir(parents=True)
    (source / "assets" / "application-BfQ1x2Yz.js").write_text(SCRIPT)
    (source / "assets" / "application-BfQ1x2Yz.js.map").write_text(SCRIPT)
    (source / "logo.txt").write_text("a joint")
    settings.STATICFILES_DIRS = [source]
    # Those of the apps take long to compress.
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "dovetail.http.static.StaticFilesStorage"},
    }
    call_command("collectstatic", verbosity=0)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_names_hashed_by_vite_are_kept_and_others_are_hashed(settings: Settings) -> None:
    root = Path(settings.STATIC_ROOT)

    assert names(root / "assets") == {
        f"application-BfQ1x2Yz.js{suffix}" for suffix in ("", ".br", ".gz", ".map")
    }
    [name] = names(root) - {"assets", "staticfiles.json"}  # the name without a hash is not kept
    assert name.startswith("logo.")
    assert len(name) == 21


async def get(path: str, **headers: str) -> Any:
    async def page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    request = AsyncRequestFactory().get(path, headers=headers)
    return await cast("Awaitable[HttpResponse]", StaticFilesMiddleware(page)(request))


async def body(response: Any) -> bytes:
    content = b"".join([chunk async for chunk in response.streaming_content])
    response.close()
    return content


async def test_files_are_served_compressed_and_immutable() -> None:
    response = await get("/static/assets/application-BfQ1x2Yz.js", accept_encoding="gzip")

    assert response["Content-Encoding"] == "gzip"
    assert "immutable" in response["Cache-Control"]
    assert response.is_async
    assert gzip.decompress(await body(response)).decode() == SCRIPT


async def test_unmodified_file_is_not_sent_again() -> None:
    path = "/static/assets/application-BfQ1x2Yz.js"
    first = await get(path)
    again = await get(path, if_modified_since=first["Last-Modified"])

    assert again.status_code == 304
    assert await body(again) == b""
    first.close()


async def test_range_requests_are_supported() -> None:
    response = await get(static("logo.txt"), range="bytes=2-")

    assert response.status_code == 206
    assert await body(response) == b"joint"


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-0", 206, b"a"),
        ("bytes=-5", 206, b"joint"),
        ("bytes=-0", 416, b""),
        ("bytes=7-", 416, b""),
        ("bytes=--5", 200, b"a joint"),
        ("bytes=5-2", 200, b"a joint"),
        ("bytes=0-1,3-4", 200, b"a joint"),
        ("lines=0-1", 200, b"a joint"),
    ],
)
async def test_part_is_what_the_standard_says(asked: str, status: int, content: bytes) -> None:
    response = await get(static("logo.txt"), range=asked)

    assert response.status_code == status
    assert await body(response) == content


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{ETag}", 206),
        ("{Last-Modified}", 206),
        ("W/{ETag}", 200),
        ('"old"', 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
    ],
)
async def test_who_has_a_part_of_another_file_gets_this_one_as_a_whole(
    condition: str, status: int
) -> None:
    """Kind: a file made of the parts of two releases."""
    url = static("logo.txt")
    whole = await get(url)
    known = condition.format_map(whole.headers)

    response = await get(url, range="bytes=2-", if_range=known)

    assert response.status_code == status
    response.close()
    whole.close()


async def test_encodings_have_parts_of_their_own() -> None:
    """Kind: a compressed file that is continued with a part of the plain one."""
    compressed = await get(SCRIPT_URL, accept_encoding="gzip", range="bytes=0-9")
    assert compressed.status_code == 206
    assert compressed["Content-Encoding"] == "gzip"

    rest = await get(SCRIPT_URL, range="bytes=10-", if_range=compressed["ETag"])

    assert rest.status_code == 200
    for response in (compressed, rest):
        response.close()


async def test_head_has_no_part() -> None:
    async def page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    request = AsyncRequestFactory().head(static("logo.txt"), headers={"range": "bytes=2-"})
    response = await cast("Awaitable[HttpResponse]", StaticFilesMiddleware(page)(request))

    assert response.status_code == 200
    assert response["Content-Length"] == "7"


async def test_other_paths_are_passed_to_the_application() -> None:
    response = await get("/articles/")

    assert response.content == b"page"


def test_files_are_served_under_wsgi() -> None:
    serve: Any = StaticFilesMiddleware(lambda _request: HttpResponse("page"))
    response = serve(RequestFactory().get(static("logo.txt")))

    assert b"".join(response.streaming_content) == b"a joint"
    response.close()


SCRIPT_URL = "/static/assets/application-BfQ1x2Yz.js"
USUAL: list[dict[str, str]] = [
    {},
    {"accept_encoding": "gzip, deflate, br, zstd"},
    {"accept_encoding": "gzip"},
    {"method": "HEAD", "accept_encoding": "br"},
    {"if_modified_since": "Sun, 06 Nov 2033 08:49:37 GMT"},
    {"if_none_match": '"other"'},
    {"if_none_match": "*"},
    {"accept_encoding": "br;q=0, gzip"},
    {"accept_encoding": "br; Q=0.000"},
    {"accept_encoding": "*"},
]
UNUSUAL: list[dict[str, str]] = [
    {"x_forwarded_proto": "http"},
    {"x_forwarded_proto": ""},
    {"host": "other.example"},
    {"host": "TESTSERVER"},
    {"host": ""},
    {"method": "POST"},
    {"range": "bytes=2-5"},
    {"x_long": "x" * 20_000},
    {"content_length": "5"},
]


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("request_headers", USUAL, ids=str)
async def test_loop_answers_as_django_would(request_headers: dict[str, str]) -> None:
    server = Loop(with_static)

    answer = await server.get(SCRIPT_URL, request_headers)

    assert server.left == 0
    assert answer == await server.get(SCRIPT_URL, request_headers, on_loop=False)
    assert (b"strict-transport-security", b"max-age=3600") in answer[1]


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("request_headers", UNUSUAL, ids=lambda headers: str(headers)[:40])
async def test_loop_leaves_unusual_requests_to_django(request_headers: dict[str, str]) -> None:
    """Kind: a redirect to HTTPS, or a limit, that holds for pages only."""
    server = Loop(with_static)

    await server.get(SCRIPT_URL, request_headers)

    assert server.left == 1


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("on_loop", [True, False])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a,b" ,W/{}', "*"])
@pytest.mark.parametrize("encoding", ["", "gzip", "br"])
async def test_file_is_known_by_its_etag(form: str, encoding: str, *, on_loop: bool) -> None:
    server = Loop(with_static)
    accepts = {"accept_encoding": encoding}
    _, headers, _, _ = await server.get(SCRIPT_URL, accepts)
    known = {"if_none_match": form.format(dict(headers)[b"etag"].decode())}

    status, headers, content, _ = await server.get(SCRIPT_URL, accepts | known, on_loop=on_loop)

    assert status == 304
    assert content == b""
    assert dict(headers)[b"vary"] == b"Accept-Encoding"


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("on_loop", [True, False])
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", b"br"),
        ("gzip, br;q=0", b"gzip"),
        ("br;q=0.0,GZIP;q=0.5", b"gzip"),
        ("br;q=0.001", b"br"),
        ("br ; q = 0, gzip;q=0.00", None),
        ("x-br, brotli", None),
        ("*", None),
        ("", None),
    ],
)
async def test_refused_encoding_is_not_used(
    accepted: str, encoding: bytes | None, *, on_loop: bool
) -> None:
    server = Loop(with_static)

    _, headers, _, _ = await server.get(SCRIPT_URL, {"accept_encoding": accepted}, on_loop=on_loop)

    assert dict(headers).get(b"content-encoding") == encoding


@pytest.mark.usefixtures("behind_proxy")
async def test_each_encoding_has_an_etag() -> None:
    server = Loop(with_static)

    answers = [
        await server.get(SCRIPT_URL, {"accept_encoding": name}) for name in ("", "gzip", "br")
    ]

    assert len({dict(headers)[b"etag"] for _, headers, _, _ in answers}) == 3


@pytest.mark.usefixtures("behind_proxy")
async def test_large_file_is_left_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_module, "SMALL", 100)
    server = Loop(with_static)

    status, headers, content, file = await server.get(SCRIPT_URL, {})

    assert (status, content) == (200, b"")
    assert Path(file).read_text() == SCRIPT  # noqa: ASYNC240 - a small file
    assert dict(headers)[b"content-length"] == str(len(SCRIPT)).encode()


async def django(_scope: Any, _receive: Any, _send: Any) -> None:
    """Stand for the application."""


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("name", ["tests.blocks_addresses", "dovetail.http.static.Unknown"])
def test_loop_answers_nothing_behind_middleware_that_it_does_not_know(
    settings: Settings, name: str
) -> None:
    settings.MIDDLEWARE = [name, *MIDDLEWARE]

    assert with_static(django) == django


def test_kept_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_module, "KEPT", 25)
    paths = [str(tmp_path / str(number)) for number in range(3)]
    for path in paths:
        Path(path).write_text("x" * 10)
    kept = KeptFiles()
    for path in [paths[0], paths[1], paths[0], paths[2]]:
        assert kept.content(path) == b"x" * 10
    for path in paths:
        Path(path).unlink()

    assert kept.content(paths[0])
    assert kept.content(paths[2])
    with pytest.raises(FileNotFoundError):
        kept.content(paths[1])  # the one that was asked for least recently
