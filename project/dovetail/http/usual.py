"""Tells which requests the event loop may answer before Django: those that are like most others.

    usual = Usual("HTTP_ACCEPT")
    if (request := usual.read(scope)) is not None: ...

All middleware before the one that would answer must be known here, and neither refuse nor redirect
such a request. Own code because only the kit knows its middleware.
"""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

from dovetail.http.bodies import may_have_body
from dovetail.http.headers import are_too_long
from dovetail.http.hosts import MAX_LENGTH, accepted
from dovetail.http.lifespan import Scope

# What a project may have first. The loop does what they do, or they leave such requests alone.
KNOWN = {
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dovetail.api.compression.CompressionMiddleware",
    "dovetail.api.headers.ApiHeadersMiddleware",
    "dovetail.api.problems.ProblemMiddleware",
    "dovetail.api.problems.SlashMiddleware",
    "dovetail.api.unchanged.UnchangedMiddleware",
    "dovetail.http.conditional.ConditionalPagesMiddleware",
    "dovetail.http.headers.HeaderLimitMiddleware",
    "dovetail.http.health.HealthMiddleware",
    "dovetail.http.hosts.HostMiddleware",
    "dovetail.http.proxy.RedirectLoopMiddleware",
    "dovetail.http.refused.RefusedBodyMiddleware",
    "dovetail.http.request_id.RequestIdMiddleware",
    "dovetail.http.security.SecurityHeadersMiddleware",
    "dovetail.http.static.StaticFilesMiddleware",
    "dovetail.telemetry.middleware.TelemetryMiddleware",
}


def may_answer_for(middleware: str) -> bool:
    """Return whether nothing but what is known decides on requests before this middleware."""
    if middleware not in settings.MIDDLEWARE or settings.USE_X_FORWARDED_HOST:
        return False
    return KNOWN.issuperset(settings.MIDDLEWARE[: settings.MIDDLEWARE.index(middleware)])


class UsualRequest(HttpRequest):
    """As much of a request as `is_secure` looks at, which is cheaper than all of it."""

    def __init__(self, scheme: str, headers: dict[str, str]) -> None:
        self.META = headers
        self._scheme = scheme

    def _get_scheme(self) -> str:
        return self._scheme


class Usual:
    """Reads requests whose answer depends on few headers."""

    def __init__(self, *headers: str) -> None:
        """Create it once for all requests.

        Args:
            *headers: what the answer depends on beside the host, by their keys in `META`.
        """
        keys = {"HTTP_HOST", *headers}
        if settings.SECURE_PROXY_SSL_HEADER:
            keys.add(settings.SECURE_PROXY_SSL_HEADER[0])
        self._names = [(key, _name(key)) for key in sorted(keys)]
        self._accepts = lru_cache(maxsize=64)(accepted)

    def read(self, scope: Scope) -> UsualRequest | None:
        """Return a request, or None if Django's middleware might refuse it, or redirect it."""
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        headers = dict(scope["headers"])
        if (
            scope.get("root_path")
            or len(headers) < len(scope["headers"])  # one of them came twice
            or b"range" in headers
            or len(headers.get(b"host", b"")) > MAX_LENGTH
            or are_too_long(headers.values())
            or may_have_body(scope)
        ):
            return None
        meta = {k: headers[name].decode("latin-1") for k, name in self._names if name in headers}
        request = UsualRequest(scope.get("scheme", "http"), meta)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return None
        return request if self._accepts(meta.get("HTTP_HOST", "")) else None


def _name(key: str) -> bytes:
    """Return the name of a header in an ASGI scope."""
    return key.removeprefix("HTTP_").replace("_", "-").lower().encode()
