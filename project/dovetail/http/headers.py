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
    return any(len(value) > MAX_HEADER for value in values)


class HeaderLimitMiddleware(Middleware):
    """Responds with 431 to a header longer than `MAX_HEADER`. Place it first."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not are_too_long(request.headers.values()):
            return None
        return HttpResponse(
            f"A header of the request is longer than {MAX_HEADER:,} characters.\n",
            status=431,
            content_type="text/plain",
        )
