"""Endpoints that are to go: their answers say so, long before they do.

    @deprecated(since=date(2027, 1, 1), sunset=date(2028, 1, 1), link="https://site.example/news")
    @action(detail=True)
    def summary(self, request: Request, pk: UUID) -> Response: ...

Clients and their operators see it in the headers `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and
`Link`, also with answers that are errors, and readers of the documentation in the schema.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from django.http.response import HttpResponseBase
from django.utils.http import http_date
from drf_spectacular.utils import extend_schema

ATTRIBUTE = "deprecation"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True)
class Deprecation:
    """When an endpoint was or will be deprecated, and when it goes; both at the start of a day.

    Attributes:
        since: from when on it should not be used.
        sunset: from when on it may answer no more; None if that is open.
        link: where people read what to use instead.
    """

    since: date
    sunset: date | None = None
    link: str = ""

    def __post_init__(self) -> None:
        if self.sunset and self.sunset < self.since:
            raise ValueError("An endpoint cannot go before it is deprecated (RFC 9745, section 4).")

    def announce(self, response: HttpResponseBase) -> None:
        response["Deprecation"] = f"@{_timestamp(self.since)}"
        if self.sunset:
            response["Sunset"] = http_date(_timestamp(self.sunset))
        if self.link:
            link = f'<{self.link}>; rel="deprecation"; type="text/html"'
            others = response.headers.get("Link")
            response["Link"] = f"{others}, {link}" if others else link


def deprecated(
    *, since: date, sunset: date | None = None, link: str = ""
) -> Callable[[Endpoint], Endpoint]:
    """Announce that a viewset or one of its methods is to go; above `@action`, if it has that."""
    deprecation = Deprecation(since, sunset, link)

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, ATTRIBUTE, deprecation)
        return extend_schema(deprecated=True)(endpoint)

    return mark


def announce(view: object, method: object, response: HttpResponseBase) -> None:
    """Add what was announced for a method of a view, or else for the view, to an answer."""
    found = getattr(method, ATTRIBUTE, None) or getattr(view, ATTRIBUTE, None)
    if isinstance(found, Deprecation):
        found.announce(response)


def _timestamp(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
