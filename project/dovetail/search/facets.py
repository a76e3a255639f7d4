"""Counts of rows by value, which search results show as facets."""

from typing import Any

from django.db import models
from django.db.models import Count

from dovetail.search.aggregates import aggregate_in_index, local_field, without_nulls

Rows = models.QuerySet[Any]

MAX_GROUPS = 65_000  # pg_search's limit per result


def count_by(rows: Rows, field: str, *, top: int = 10) -> list[tuple[Any, int]]:
    """Return the most frequent values of a field with their counts.

    Args:
        rows: the rows to count.
        field: the name of a field; may follow relations, such as `author__email`.
        top: the maximum number of values.

    Returns:
        Pairs of value and count, largest count first and ties in order of the value. Nulls are not
        counted.
    """
    counts = _count_in_index(rows, field)
    if counts is None:
        groups = without_nulls(rows, field).order_by().values(field).annotate(count=Count("*"))
        ordered = groups.order_by("-count", field).values_list(field, "count")
        return list(ordered[:top])
    return sorted(counts, key=lambda pair: (-pair[1], _sort_key(pair[0])))[:top]


def _count_in_index(rows: Rows, field: str) -> list[tuple[Any, int]] | None:
    """Return the counts of all values from ParadeDB's index, or None if only SQL can count them.

    Limited to non-null text and keys: pg_search 0.21 returns null numbers as a large number and
    fails on booleans.
    """
    source = local_field(rows, field)
    value = source.target_field if isinstance(source, models.ForeignKey) else source
    if source is None or source.null or not isinstance(value, models.CharField | models.UUIDField):
        return None
    request = {"terms": {"size": MAX_GROUPS, "segment_size": MAX_GROUPS}}
    result = aggregate_in_index(rows, field, request)
    if result is None or result["sum_other_doc_count"]:
        return None
    return [(value.to_python(bucket["key"]), bucket["doc_count"]) for bucket in result["buckets"]]


def _sort_key(value: Any) -> Any:
    return value if isinstance(value, str) else str(value)
