"""Takes browsers' reports of what the Content Security Policy blocked, and logs each kind once.

    path("csp-reports/", csp_reports, name="csp_reports")

Anyone can send reports, so what is written is short, safe and little: names of routes instead of
paths, which may contain keys of mailed links; hosts instead of addresses; the same line once an
hour; `PER_NETWORK` and `OVERALL` requests a minute. What extensions of the browser did is dropped.

Both formats are read: that of `report-uri` (CSP 3) and that of `report-to` (Reporting API). Own
code because django-csp only sends the header, and the services that collect reports are others'.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson
import redis
from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import validate_host
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dovetail.cache.windows import count
from dovetail.http.address import client_address, network_of

logger = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
MOST_REPORTS = 20  # of one request
PER_NETWORK = 20  # requests a minute
OVERALL = 120  # requests a minute
AGAIN = 3600  # seconds until the same line is logged again
LONGEST = 120  # characters of a part of the line

OLD, NEW = "application/csp-report", "application/reports+json"
DIRECTIVE = re.compile(r"[a-z-]{1,40}")
UNSAFE = re.compile(r"[^!-~]")  # whatever is no visible ASCII
# What a blocked resource is called that has no address (CSP 3, section 5.1).
WORDS = {"inline", "eval", "wasm-eval", "trusted-types-policy", "trusted-types-sink", "self"}
SCHEMES = {"http", "https", "ws", "wss"}


@csrf_exempt
@require_POST
def csp_reports(request: HttpRequest) -> HttpResponse:
    """Log reports; 404 if `CSP_REPORT_URL` names another service, 429 if there are too many."""
    if not settings.CSP_REPORTS:
        raise Http404
    if request.content_type not in {OLD, NEW}:
        return HttpResponse(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if not _fits(request, 1):
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "60"})
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    for line in lines_of(document):
        name = f"csp-report:{hashlib.sha256(line.encode()).hexdigest()}"
        if cache.get(name) is None and _fits(request, 1, "csp-report-lines"):
            cache.set(name, 1, timeout=AGAIN)
            logger.warning("The Content Security Policy blocked %s", line)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _fits(request: HttpRequest, cost: int, what: str = "csp-reports") -> bool:
    """Count requests or lines. Without a cache none fits: its outage would fill the log."""
    network = network_of(client_address(request))
    limits = [(f"{what}:{network}", PER_NETWORK), (what, OVERALL)]
    try:
        is_counted, _ = count(limits, cost, seconds=60)
    except redis.RedisError:
        return False
    return is_counted


def lines_of(document: Any) -> Iterator[str]:
    """Yield a line for each report that is about a page of this site, and not about an extension.

    Args:
        document: JSON in either format, or anything else.
    """
    reports = document if isinstance(document, list) else [document]
    for report in reports[:MOST_REPORTS]:
        if not isinstance(report, dict):
            continue
        old, new = report.get("csp-report"), report.get("body")
        if isinstance(old, dict):
            directive = old.get("effective-directive") or old.get("violated-directive")
            line = _line(directive, old, "document-uri", "blocked-uri", "source-file")
        elif isinstance(new, dict) and report.get("type") == "csp-violation":
            directive = new.get("effectiveDirective")
            line = _line(directive, new, "documentURL", "blockedURL", "sourceFile")
        else:
            continue
        if line:
            yield line


def _line(directive: Any, report: dict[str, Any], *names: str) -> str | None:
    page, blocked, source = (report.get(name) for name in names)
    words = str(directive).split()[:1]
    if not words or not DIRECTIVE.fullmatch(words[0]):
        return None
    where = _split(page)
    if where is None or not _is_own(where):
        return None
    what, origin = _resource(blocked), _resource(source) if source else ""
    if what is None or origin is None:
        return None
    number = report.get("line-number", report.get("lineNumber"))
    at = f", line {number}" if type(number) is int and 0 < number < 10**6 else ""
    by = f", by {origin}{at}" if origin else ""
    return f"{what} by {words[0]} on {_route(where)}{by}"


def _resource(text: Any) -> str | None:
    """Return what to call a resource: a host, a file of this site, a word; None for extensions."""
    url = _split(text)
    if url is None or text in WORDS:
        return str(text) if url else "something"
    if url.scheme.endswith("extension") or url.scheme in {"about", "resource"}:
        return None
    if url.scheme not in SCHEMES:
        return _safe(url.scheme or text.partition(":")[0])
    if not _is_own(url):
        return _safe(f"{url.scheme}://{url.netloc.rpartition('@')[2]}")
    return _safe(url.path) if url.path.startswith(settings.STATIC_URL) else _route(url)


def _route(url: SplitResult) -> str:
    """Return the route of a page of this site, which unlike its path says nothing about anyone."""
    try:
        return f"/{resolve(url.path or '/').route}"
    except (Resolver404, ValueError):
        return "another page"


def _is_own(url: SplitResult) -> bool:
    try:
        host = url.hostname or ""
    except ValueError:
        return False
    return url.scheme in SCHEMES and validate_host(host, settings.ALLOWED_HOSTS)


def _split(text: Any) -> SplitResult | None:
    try:
        return urlsplit(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _safe(text: str) -> str:
    return UNSAFE.sub("?", text[:LONGEST])
