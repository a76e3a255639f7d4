"""A visitor of the deployed site, behind a proxy that terminates TLS."""

import io
import json
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image as Picture

from dovetail.http import access_log
from dovetail.http.static import SMALL
from tests.cable.websocket import HandshakeRejected, RawSocket
from tests.production.conftest import Site, Visitor, wait_until_it_answers
from tests.production.image import Image, Web

PAGES = ["/", "/articles/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


def assets(page: str) -> set[str]:
    return set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))


def picture() -> bytes:
    content = io.BytesIO()
    Picture.new("RGB", (640, 480), "teal").save(content, "PNG")
    return content.getvalue()


def noise(size: int) -> bytes:
    """Return a picture of about this many bytes."""
    side = round((size / 3) ** 0.5)
    content = io.BytesIO()
    Picture.frombytes("RGB", (side, side), secrets.token_bytes(side * side * 3)).save(
        content, "PNG"
    )
    return content.getvalue()


@pytest.mark.parametrize("path", PAGES)
def test_page_is_served_over_https_without_a_redirect(visitor: Visitor, path: str) -> None:
    response = visitor.page(path)

    assert response.status_code == 200
    assert response.history == []
    assert "Strict-Transport-Security" in response.headers
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert assets(response.text)


def test_missing_page_is_a_page(visitor: Visitor) -> None:
    response = visitor.page("/nothing-here/")

    assert response.status_code == 404
    assert "Traceback" not in response.text
    assert assets(response.text)


def test_plain_http_is_redirected_once(site: Site) -> None:
    response = requests.get(
        f"{site.proxy.http}/articles/?q=oak",
        headers={"Host": urlsplit(site.proxy.https).netloc},  # both have their default ports
        allow_redirects=False,
        timeout=60,
    )

    assert response.status_code == 301
    target = urlsplit(response.headers["Location"])
    assert (target.scheme, target.path, target.query) == ("https", "/articles/", "q=oak")


def test_static_files_are_compressed_and_cached_forever(visitor: Visitor) -> None:
    for path in assets(visitor.page("/").text):
        response = visitor.page(path)

        assert response.status_code == 200, path
        assert "immutable" in response.headers["Cache-Control"], path
        if path.endswith((".js", ".css")):
            assert response.headers["Content-Encoding"] in {"gzip", "br"}, path


def test_large_static_file_is_complete(site: Site, visitor: Visitor) -> None:
    """Such a file is left to the server, after headers that tell its length."""
    folder = site.image.folder / "staticfiles"
    file = max(folder.rglob("*.js"), key=lambda path: path.stat().st_size)
    url = f"{visitor.url}/static/{file.relative_to(folder).as_posix()}"

    answer = visitor.get(url, headers={"Accept-Encoding": "identity"}, timeout=60)

    assert file.stat().st_size > SMALL
    assert answer.content == file.read_bytes()


def test_sign_in_sets_cookies_for_this_host_only(visitor: Visitor) -> None:
    response = visitor.sign_in()

    assert response.status_code == 200
    assert response.history
    assert visitor.page("/people/me/edit/").status_code == 200
    cookies = {cookie.name: cookie for cookie in visitor.cookies}
    assert {"__Host-sessionid", "__Host-csrftoken"} <= cookies.keys()
    for name, cookie in cookies.items():
        if name.startswith("__Host-"):  # browsers refuse it otherwise
            assert cookie.secure, name
            assert cookie.path == "/", name
            assert not cookie.domain_specified, name


def test_form_from_another_site_is_refused(visitor: Visitor) -> None:
    visitor.page("/accounts/login/")

    response = visitor.post(
        f"{visitor.url}/accounts/login/",
        {"login": "ada@example.com", "password": "guess"},
        headers={"Origin": "https://evil.example"},
        timeout=60,
    )

    assert response.status_code == 403


def test_uploaded_picture_is_served(site: Site, visitor: Visitor) -> None:
    """Kind: what `DEBUG` serves. In production, uploads were 404."""
    visitor.sign_in()

    saved = visitor.submit(
        "/people/me/edit/",
        {"display_name": "Ada", "biography": ""},
        {"avatar": ("ada.png", picture(), "image/png")},
    )

    assert saved.status_code == 200
    [path] = set(re.findall(r'src="(/media/avatars/[^"]+)"', visitor.page("/").text))
    response = visitor.page(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert Picture.open(io.BytesIO(response.content)).format == "WEBP"
    part = visitor.get(f"{visitor.url}{path}", headers={"Range": "bytes=0-3"}, timeout=60)
    assert (part.status_code, part.content) == (206, response.content[:4])
    etag = {"If-None-Match": response.headers["ETag"]}
    assert visitor.get(f"{visitor.url}{path}", headers=etag, timeout=60).status_code == 304
    stored = Path(site.image.environment["DATA_DIR"]) / path.removeprefix("/")
    assert stored.read_bytes() == response.content


def test_file_that_nothing_refers_to_is_not_served(site: Site, visitor: Visitor) -> None:
    """Kind: whatever is below the folder of uploads is public."""
    folder = Path(site.image.environment["DATA_DIR"]) / "media"
    for name in ("page.html", "avatars/stray.webp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("<script>alert(1)</script>")

        assert visitor.page(f"/media/{name}").status_code == 404

    for outside in ("/media/..%2fup.json", "/media/../../etc/passwd", "/media/"):
        assert visitor.page(outside).status_code == 404


def test_websocket_passes_the_proxy(site: Site, visitor: Visitor) -> None:
    visitor.sign_in()
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.cookies)

    for headers in ({}, {"cookie": cookies}):
        socket = RawSocket(site.proxy.https, headers=headers, certificate=site.certificate)
        assert socket.receive() == {"type": "welcome"}
        socket.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost", ""])
def test_websocket_from_another_site_is_refused(site: Site, origin: str) -> None:
    with pytest.raises(HandshakeRejected, match="403"):
        RawSocket(site.proxy.https, headers={"origin": origin}, certificate=site.certificate)


def test_readiness_waits_for_the_migrations(site: Site) -> None:
    """Kind: a process that says it is ready while every page fails."""
    status, checks = site.unmigrated

    assert status == 503
    assert checks == {"database": "ok", "migrations": "due", "cache": "ok", "broker": "ok"}
    assert "`python manage.py migrate`" in site.web.log.read_text()
    now = requests.get(f"http://127.0.0.1:{site.web.port}/readyz", timeout=60)
    assert now.status_code == 200
    assert set(now.json()["checks"].values()) == {"ok"}


def test_log_names_the_request_and_the_person(site: Site, visitor: Visitor) -> None:
    visitor.sign_in()

    answer = visitor.get(
        f"{visitor.url}/people/me/edit/?secret=1", headers={"X-Request-ID": "edge-42"}, timeout=60
    )

    assert answer.headers["X-Request-ID"] == "edge-42"
    [line] = [line for line in site.web.log.read_text().splitlines() if "edge-42" in line]
    logged = json.loads(line)
    assert logged["logger"] == access_log.logger.name
    assert (logged["method"], logged["path"]) == ("GET", "/people/me/edit/")
    assert (logged["status"], logged["bytes"]) == (200, int(answer.headers["Content-Length"]))
    assert logged["user_id"]
    assert logged["address"] == "127.0.0.1"
    assert "secret" not in line


def test_server_says_what_it_chose(site: Site) -> None:
    log = site.web.log.read_text()

    assert "WEB_CONCURRENCY sets another number" in log
    assert "connections to the database" in log


def test_deployment_check_is_clean(site: Site) -> None:
    result = site.image.run("manage", "check", "--deploy", "--fail-level", "WARNING")

    assert "System check identified no issues" in result.stdout + result.stderr


def test_proxy_that_is_not_trusted_is_named(site: Site, tmp_path: Path) -> None:
    """Kind: a default that cannot work: without the setting, each page redirects to itself."""
    web = Web(site.image, tmp_path / "web.log", TRUSTED_PROXY_COUNT="", WEB_CONCURRENCY="1")
    try:
        wait_until_it_answers(web)
        for _ in range(3):
            response = requests.get(
                f"http://127.0.0.1:{web.port}/",
                headers={
                    "Host": urlsplit(site.proxy.https).netloc,
                    "X-Forwarded-Proto": "https",
                },
                allow_redirects=False,
                timeout=60,
            )
            assert response.status_code == 301
    finally:
        web.stop()

    lines = web.log.read_text().splitlines()
    assert len([line for line in lines if "Set TRUSTED_PROXY_COUNT" in line]) == 1


def test_server_without_static_files_stops_with_one_sentence(image: Image, tmp_path: Path) -> None:
    """Kind: a step of the deployment was left out, and each page answers 500."""
    uncollected = Image(tmp_path / "app", image.environment)
    uncollected.assemble()

    web = Web(uncollected, tmp_path / "web.log", WEB_CONCURRENCY="1")
    assert web.process.wait(120) != 0

    log = web.log.read_text()
    assert "error: The static files are not collected: " in log
    assert "collectstatic" in log
    assert "Traceback" not in log
