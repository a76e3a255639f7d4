"""Loads the home page as a browser does, with the scripts and styles that it names."""

import re
import time
from html.parser import HTMLParser
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from dovetail.devtools.errors import SetupError

TIMEOUT = 60  # seconds; Vite prepares packages when they are first requested
ATTEMPTS = 4
PAUSE = 0.5  # seconds between attempts: Vite answers 504 while it prepares packages
SCRIPT, STYLE = "javascript", "text/css"  # parts of the content types
# The static imports of a module; Vite writes them as absolute paths, a build as relative ones.
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\.{0,2}/[^"']+)["']""")
SERVER_ERROR = 500


class UnusableError(Exception):
    """Says what did not load."""


def load(url: str) -> None:
    """Request a page, its scripts, what these import, and its styles.

    Raises:
        SetupError: the page answers with a server error, or something that it names does not load.
    """
    for attempt in range(ATTEMPTS):
        try:
            _load(url)
        except UnusableError as error:
            if attempt == ATTEMPTS - 1:
                raise SetupError(
                    f"The home page does not work: {error}; see the lines above, fix the cause "
                    "and run `up` again."
                ) from error
            time.sleep(PAUSE)
        else:
            return


def _load(url: str) -> None:
    status, kind, text, address = _get(url)
    if status >= SERVER_ERROR:
        raise UnusableError(f"{address} answered {status}")
    if "html" not in kind:
        return
    for asset, wanted in _assets(text, address):
        content = _get_asset(asset, wanted, address)
        if wanted == SCRIPT:
            for imported in IMPORT.findall(content):
                _get_asset(urljoin(asset, imported), SCRIPT, asset)


def _get_asset(url: str, wanted: str, named_by: str) -> str:
    """Return the text of a script or a style."""
    status, kind, text, _ = _get(url, wanted)
    if status != 200:  # noqa: PLR2004 - OK
        raise UnusableError(f"{named_by} needs {url}, which answered {status}")
    if wanted not in kind:
        raise UnusableError(f"{named_by} needs {url}, which is {kind or 'of no type'}")
    return text


def _assets(text: str, address: str) -> list[tuple[str, str]]:
    """Return the URL and the content type of each script and style of this host."""
    finder = _AssetFinder()
    finder.feed(text)
    host = urlsplit(address).hostname
    urls = ((urljoin(address, url), kind) for url, kind in finder.found)
    return [(url, kind) for url, kind in urls if urlsplit(url).hostname == host]


class _AssetFinder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and (source := values.get("src")):
            self.found.append((source, SCRIPT))
        elif tag == "link" and "stylesheet" in (values.get("rel") or "").split():
            self.found.append((values.get("href") or "", STYLE))


class _SameHost(HTTPRedirectHandler):
    """Follows redirects within the application, such as one to its login page."""

    def redirect_request(  # noqa: PLR0917 - the signature of the base class
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get(url: str, wanted: str = "text/html") -> tuple[int, str, str, str]:
    """Return the status, the content type, the text and the final URL."""
    opener = build_opener(ProxyHandler({}), _SameHost())
    # As browsers ask for scripts and for styles: Vite serves CSS as either.
    accept = "*/*" if wanted == SCRIPT else f"{wanted},*/*;q=0.1"
    request = Request(url, headers={"Accept": accept})  # noqa: S310 - always http
    response: HTTPResponse | HTTPError
    try:
        response = opener.open(request, timeout=TIMEOUT)
    except HTTPError as error:
        response = error
    except (OSError, HTTPException) as error:
        raise UnusableError(f"{url} could not be requested ({error})") from error
    with response:
        try:
            text = response.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise UnusableError(f"{url} could not be read ({error})") from error
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        return response.status or 0, kind, text, response.url
