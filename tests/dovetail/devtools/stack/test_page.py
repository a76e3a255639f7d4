"""`up` says "ready" once the home page loads with what it names, as in a browser.

The kind: "ready" is said of what does not work. In a folder with `#` in its name, the page came
with neither style nor script.
"""

import http.server
import threading
from collections.abc import Iterator

import pytest

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import page

HTML = "text/html; charset=utf-8"
SCRIPT = "text/javascript"
PAGE = """<!doctype html><title>Home</title>
<link rel="icon" href="/absent.svg">
<link rel="stylesheet" href="/site.css">
<script type="module" src="/site.js"></script>
<script src="https://elsewhere.invalid/script.js"></script>"""


class Site(http.server.ThreadingHTTPServer):
    """Serves the answers that a test gives it: status, type and text by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server_port}"
        self.requests: list[str] = []
        self.once: dict[str, tuple[int, str, str]] = {}
        self.answers: dict[str, tuple[int, str, str]] = {
            "/": (200, HTML, PAGE),
            "/site.css": (200, "text/css", "body {}"),
            "/site.js": (200, SCRIPT, 'import"/part.js";import x from "./other.js"'),
            "/part.js": (200, SCRIPT, ""),
            "/other.js": (200, SCRIPT, ""),
        }


class Handler(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        answer = self.server.answers.get(self.path, (404, HTML, "Not found"))
        status, kind, text = self.server.once.pop(self.path, answer)
        self.send_response(status)
        self.send_header("Location" if status == 302 else "Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(page, "PAUSE", 0)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must not matter
    with Site() as site:
        threading.Thread(target=site.serve_forever, args=(0.01,), daemon=True).start()
        yield site
        site.shutdown()


def test_scripts_their_imports_and_styles_are_requested(site: Site) -> None:
    page.load(site.url)
    assert set(site.requests) == {"/", "/site.css", "/site.js", "/part.js", "/other.js"}


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/", (500, HTML, "Traceback"), "localhost:[0-9]+ answered 500"),
        ("/site.css", (404, HTML, ""), r"needs .*/site\.css, which answered 404"),
        ("/site.css", (200, SCRIPT, "export default"), r"/site\.css, which is text/javascript"),
        ("/site.js", (200, HTML, "<p>Not found"), r"/site\.js, which is text/html"),
        ("/site.js", (500, SCRIPT, ""), r"/site\.js, which answered 500"),
        ("/part.js", (404, HTML, ""), r"site\.js needs .*/part\.js, which answered 404"),
    ],
)
def test_page_that_does_not_load_is_not_ready(
    site: Site, path: str, answer: tuple[int, str, str], message: str
) -> None:
    site.answers[path] = answer
    with pytest.raises(SetupError, match=rf"The home page does not work: .*{message}; see the"):
        page.load(site.url)


def test_passing_trouble_is_waited_for(site: Site) -> None:
    """Vite answers 504 while it prepares packages."""
    site.once["/site.js"] = (504, HTML, "")
    page.load(site.url)
    assert site.requests.count("/site.js") == 2


def test_login_page_in_its_place_is_loaded_and_another_site_is_not(site: Site) -> None:
    site.answers["/login"] = site.answers["/"]
    site.answers["/"] = (302, "/login", "")
    page.load(site.url)
    assert "/site.js" in site.requests
    site.answers["/"] = (302, "http://elsewhere.invalid/", "")
    page.load(site.url)


def test_server_that_is_gone_is_reported(site: Site) -> None:
    site.shutdown()
    site.server_close()
    with pytest.raises(SetupError, match=r"could not be requested \(.*refused.*\)"):
        page.load(site.url)
