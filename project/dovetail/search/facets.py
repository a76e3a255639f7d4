"""Counts of rows by value, which search results show as facets."""

from typing import Any

from django.db import models
from django.db.models import Count

from dovetail.search.aggregates import field_of, figures, with_value

Rows = models.QuerySet[Any]

MAX_GROUPS = 65_000  # in one answer of pg_search


def count_by(rows: Rows, field: str, *, top: int = 10) -> list[tuple[Any, int]]:
    """Count the rows by the values of a field.

    Args:
        rows: what to count.
        field: a field of them, also one of a related row, such as `author__email`.
        top: how many values to return.

    Returns:
        Values with their counts, most first; equal counts in the order of the values.
    """
    counts = _terms(rows, field)
    if counts is None:
        groups = with_value(rows, field).order_by().values(field).annotate(count=Count("*"))
        ordered = groups.order_by("-count", field).values_list(field, "count")
        return list(ordered[:top])
    return sorted(counts, key=lambda pair: (-pair[1], _sorted_as(pair[0])))[:top]


def _terms(rows: Rows, field: str) -> list[tuple[Any, int]] | None:
    """Return the counts of all values as ParadeDB has them, or None.

    Only of texts and keys that are never null: pg_search 0.21 shows a missing number as a large
    one, and fails on booleans.
    """
    of = field_of(rows, field)
    value = of.target_field if isinstance(of, models.ForeignKey) else of
    if of is None or of.null or not isinstance(value, models.CharField | models.UUIDField):
        return None
    answer = figures(rows, field, {"terms": {"size": MAX_GROUPS, "segment_size": MAX_GROUPS}})
    if answer is None or answer["sum_other_doc_count"]:
        return None
    return [(value.to_python(bucket["key"]), bucket["doc_count"]) for bucket in answer["buckets"]]


def _sorted_as(value: Any) -> Any:
    return value if isinstance(value, str) else str(value)
