"""Filters and orders, of which unknown ones are errors: a typing mistake never returns all rows."""

from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import Any, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend, IsoDateTimeFilter
from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from dovetail.api.faults import BadInput, Fault, in_parameters


class FilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Applies the view's `filterset_class`, and names the parameters that are wrong."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        filters = getattr(view, "filterset_class", None)
        given = request.query_params
        # Building the form of a filter takes time.
        if filters is None or given.keys().isdisjoint(filters.base_filters):
            return queryset
        _refuse_empty(request, filters.base_filters)
        try:
            return cast("QuerySet[Any]", super().filter_queryset(request, queryset, view))
        except ValidationError as error:
            raise in_parameters(error) from error


def _refuse_empty(request: Request, names: Iterable[str]) -> None:
    """Raise `BadInput` for a filter without a value, which would let through all rows."""
    if empty := [name for name in names if "" in request.query_params.getlist(name)]:
        raise BadInput(
            *(Fault("Is empty: leave it out.", "blank", parameter=name) for name in empty)
        )


class TimeField(IsoDateTimeField):  # type: ignore[misc]
    """A time in UTC: PostgreSQL knows no offsets of 16 hours or more, which RFC 3339 allows."""

    def to_python(self, value: Any) -> datetime | None:
        given: datetime | None = super().to_python(value)
        try:
            return given and given.astimezone(UTC)
        except OverflowError as error:
            raise DjangoValidationError("Is out of range in UTC.", "overflow") from error


class TimeFilter(IsoDateTimeFilter):  # type: ignore[misc]
    """Filters by a time with any offset."""

    field_class = TimeField


class OrderingFilter(filters.OrderingFilter):
    """Orders by one of the view's `ordering_fields`, such as `?ordering=-title`."""

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> tuple[str, ...] | None:
        """Return the fields to order by, of which the last is unique; None for the usual order.

        Raises:
            BadInput: it is none of the view's `ordering_fields`.
        """
        given = request.query_params.get(self.ordering_param)
        if given is None:
            return None
        known = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        if given.removeprefix("-") not in known:
            choices = [f"{sign}{name}" for name in known for sign in ("", "-")]
            raise BadInput(
                Fault(f"Must be one of {', '.join(choices)}.", parameter=self.ordering_param)
            )
        return (given, "-id" if given.startswith("-") else "id")


def refuse_unknown(request: Request, known: Iterable[str], repeatable: Container[str] = ()) -> None:
    """Raise `BadInput` for the parameters of a query string that mean nothing.

    Args:
        request: the request.
        known: the parameters that it may have.
        repeatable: those that may come several times. Of others, only the last would count.
    """
    names = sorted(set(known))
    given = request.query_params
    if twice := [name for name in given if len(given.getlist(name)) > 1 and name not in repeatable]:
        told = "Comes several times, but takes one value."
        raise BadInput(*(Fault(told, "repeated", parameter=name) for name in twice[:20]))
    if unknown := sorted(set(request.query_params) - set(names)):
        told = f"Is unknown. Known here: {', '.join(names)}." if names else "Is unknown."
        raise BadInput(*(Fault(told, "unknown", parameter=name) for name in unknown[:20]))
