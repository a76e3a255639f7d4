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

from dovetail.http.static import StaticFilesMiddleware

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
    settings.WHITENOISE_USE_FINDERS = False
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


async def test_other_paths_are_passed_to_the_application() -> None:
    response = await get("/articles/")

    assert response.content == b"page"


def test_files_are_served_under_wsgi() -> None:
    serve: Any = StaticFilesMiddleware(lambda _request: HttpResponse("page"))
    response = serve(RequestFactory().get(static("logo.txt")))

    assert b"".join(response.streaming_content) == b"a joint"
    response.close()
