"""Pages by cursor: as fast at the end of a long list as at its start, and without gaps or repeats.

The links are in the body and in the `Link` header (RFC 8288).
"""

import json
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import Q
from rest_framework.exceptions import NotFound
from rest_framework.pagination import (
    BasePagination,
    Cursor,
    CursorPagination as DRFCursorPagination,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from dovetail.api.faults import BadInput, Fault
from dovetail.storable import is_storable

RELATIONS = {"next": "next", "previous": "prev"}  # by member of the body


class CursorPagination(DRFCursorPagination):
    """Pages of rows, newest first unless the view says otherwise.

    Order by fields that are never null, of which the last is unique: `OrderingFilter` adds the id.
    A cursor names the row that its page begins after. REST framework's names only the first of the
    fields, and counts rows that are alike in it, so that those added or deleted meanwhile are given
    twice or left out, and beyond the thousandth it never gets any further.
    """

    ordering = "-id"  # a UUIDv7, so that is the time of creation, and unique
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        """Return how many rows the request asks for.

        Raises:
            BadInput: it is no number from 1 to `max_page_size`.
        """
        return whole_number(
            request, self.page_size_query_param, self.page_size, largest=self.max_page_size
        )

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Return the rows of the page that the request asks for.

        Raises:
            BadInput: its cursor is none of this list.
        """
        size = self.get_page_size(request)
        self.base_url = request.build_absolute_uri()
        self.names = self.get_ordering(request, queryset, cast("APIView", view))
        self.cursor = self.decode_cursor(request)
        self.is_backward = self.cursor is not None and self.cursor.reverse
        if self.cursor is not None:
            queryset = self._beyond(queryset, self.cursor)
        order = [_turned(name) if self.is_backward else name for name in self.names]
        rows = list(queryset.order_by(*order)[: size + 1])
        self.has_more, rows = len(rows) > size, rows[:size]
        self.rows = rows[::-1] if self.is_backward else rows
        return self.rows

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise self._refusal() from error
        if cursor is not None and not is_storable(str(cursor.position)):
            raise self._refusal()
        return cursor

    def _beyond(self, queryset: Any, cursor: Cursor) -> Any:
        """Return the rows after that which a cursor names, or before it."""
        try:
            values = json.loads(str(cursor.position))
            return queryset.filter(self._condition(values))
        except (ValidationError, ValueError, TypeError) as error:  # of another order, or made up
            raise self._refusal() from error

    def _condition(self, values: Any) -> Q:
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise TypeError
        beyond, same = Q(pk__in=()), Q()
        for name, value in zip(self.names, values, strict=True):
            field, comparison = (
                _field(name),
                "lt" if name.startswith("-") != self.is_backward else "gt",
            )
            beyond |= same & Q(**{f"{field}__{comparison}": value})
            same &= Q(**{field: value})
        return beyond

    def get_next_link(self) -> str | None:
        return self._link(-1, reverse=False) if self.is_backward or self.has_more else None

    def get_previous_link(self) -> str | None:
        is_first = not self.has_more if self.is_backward else self.cursor is None
        return None if is_first else self._link(0, reverse=True)

    def _link(self, index: int, *, reverse: bool) -> str:
        """Return the address of the page after one of the rows, or before it."""
        if not self.rows:  # they were deleted: back to where the request came from
            position = str(self.cursor.position) if self.cursor else ""
        else:
            row = self.rows[index]
            position = json.dumps([str(getattr(row, _field(name))) for name in self.names])
        cursor: Any = Cursor(0, reverse, position)  # type: ignore[arg-type] # of the stubs, which have a number
        return str(self.encode_cursor(cursor))

    def _refusal(self) -> BadInput:
        return BadInput(
            Fault(
                "Is not one that this list has given out. Start again without it.",
                parameter=self.cursor_query_param,
            )
        )

    def get_paginated_response(self, data: Any) -> Response:
        links = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        return Response({**links, "results": data}, headers=_link_header(links))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _page_schema(schema)


class NumberPagination(BasePagination):
    """Pages by number, for results without a lasting order, such as the best matches of a search.

    A page far from the start costs as much as all before it, so that none has rows beyond
    `max_rows`.
    """

    page_query_param = "page"
    page_size_query_param = "page_size"
    page_size = 20
    max_page_size = 50
    max_rows = 1000

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows of the page that a request asks for, none if it is after the last.

        Raises:
            BadInput: its number or its size is none, or too large.
        """
        del view
        self.url = request.build_absolute_uri()
        self.size = whole_number(
            request, self.page_size_query_param, self.page_size, largest=self.max_page_size
        )
        self.last = self.max_rows // self.size
        self.number = whole_number(request, self.page_query_param, 1, largest=self.last)
        self.count: int = queryset.count()
        start = (self.number - 1) * self.size
        return list(queryset[start : start + self.size]) if start < self.count else []

    def get_next_link(self) -> str | None:
        if self.number == self.last or self.number * self.size >= self.count:
            return None
        return str(replace_query_param(self.url, self.page_query_param, self.number + 1))

    def get_previous_link(self) -> str | None:
        if self.number == 1:
            return None
        if self.number == 2:  # noqa: PLR2004 - the first has no number
            return str(remove_query_param(self.url, self.page_query_param))
        return str(replace_query_param(self.url, self.page_query_param, self.number - 1))

    def get_paginated_response(self, data: Any) -> Response:
        links = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        content = {"count": self.count, **links, "results": data}
        return Response(content, headers=_link_header(links))


class SinglePagePagination(BasePagination):
    """All rows of a list that cannot be long, in the form of the other lists."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        del request, view
        return list(queryset)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": None, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _page_schema(schema)


def whole_number(request: Request, parameter: str, default: int, *, largest: int) -> int:
    """Return the number in a parameter of the query string.

    Raises:
        BadInput: it is no number from 1 to the largest.
    """
    given = request.query_params.get(parameter)
    if given is None:
        return default
    if given.isascii() and given.isdigit() and len(given) <= len(str(largest)):
        number = int(given)
        if 1 <= number <= largest:
            return number
    raise BadInput(Fault(f"Must be a whole number from 1 to {largest}.", parameter=parameter))


def _field(name: str) -> str:
    return name.removeprefix("-")


def _turned(name: str) -> str:
    return _field(name) if name.startswith("-") else f"-{name}"


def _page_schema(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a page: REST framework's has `nullable`, which OpenAPI 3.1 ignores."""
    link = {"type": ["string", "null"], "format": "uri", "example": None}
    return {
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {"next": link, "previous": link, "results": rows},
    }


def _link_header(links: dict[str, str | None]) -> dict[str, str] | None:
    given = [f'<{url}>; rel="{RELATIONS[name]}"' for name, url in links.items() if url]
    return {"Link": ", ".join(given)} if given else None
