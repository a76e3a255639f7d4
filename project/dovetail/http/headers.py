"""Refuses requests with a header longer than any browser sends, before anything parses it.

Own code because Django limits only bodies, and servers allow headers of hundreds of kilobytes, for
which some parsers take quadratic time, such as that of cookies in Python before 3.11.10.
"""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse

from dovetail.http.middleware import Middleware

MAX_HEADER = 16 * 1024  # characters of one header; nginx and Apache allow 8 KiB


def are_too_long(values: Iterable[str | bytes]) -> bool:
    """Return whether one of these headers is longer than `MAX_HEADER`."""
    return max(map(len, values), default=0) > MAX_HEADER


class HeaderLimitMiddleware(Middleware):
    """Responds with 431 to a header longer than `MAX_HEADER`.

    Place it before what parses headers, and after what gives the errors of the API their form.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        # `request.headers` would make a dictionary, which not every answer needs.
        # The length first, because hardly any variable is long, and a dozen are no headers.
        if not any(
            isinstance(value, str) and len(value) > MAX_HEADER and _is_header(name)
            for name, value in request.META.items()
        ):
            return None
        return HttpResponse(
            f"A header of the request is longer than {MAX_HEADER:,} characters.\n",
            status=431,
            content_type="text/plain",
        )


def _is_header(name: str) -> bool:
    """Return whether a variable of CGI is a header of the request (RFC 3875, section 4.1)."""
    return name.startswith(("HTTP_", "CONTENT_"))
