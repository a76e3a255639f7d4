"""Analytics over any QuerySet: counts by value and by period, histograms, percentiles.

    from dovetail import analytics

    analytics.count_by(Article.objects.all(), "category")  # [("design", 12), ("culture", 7)]
    analytics.count_per(Article.objects.all(), "published_at", "week")

If ParadeDB's index contains the field, the result comes from the index, otherwise from plain SQL.
Both give the same result, unless `approximate` allows the index to estimate. Nulls are ignored.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count
from django.db.models.functions import Cast, Floor, Trunc
from django.utils import timezone

from dovetail.search.aggregates import aggregate_in_index, local_field, without_nulls
from dovetail.search.facets import count_by

__all__ = ["count_by", "count_per", "distinct", "histogram", "percentiles"]

Period = Literal["day", "week", "month", "quarter", "year"]
Rows = models.QuerySet[Any]

DAY = timedelta(days=1)


def count_per(
    rows: Rows, field: str, period: Period, *, zone: tzinfo | None = None
) -> list[tuple[date, int]]:
    """Return the number of rows per day, week, month, quarter or year.

    Args:
        rows: the rows to count.
        field: the name of a DateTimeField.
        period: the length of a period; weeks start on Monday.
        zone: the time zone that sets when a day starts; by default the current one.

    Returns:
        Pairs of a period's first day and its count, without gaps from the first row's period to
        the last row's.
    """
    zone = zone or timezone.get_current_timezone()
    days = _days(rows, field) if str(zone) == "UTC" or zone is UTC else None
    if days is None:
        truncated = Trunc(field, period, output_field=models.DateTimeField(), tzinfo=zone)
        groups = without_nulls(rows, field).order_by().annotate(start=truncated).values("start")
        days = [
            (start.date(), count)
            for start, count in groups.annotate(count=Count("*")).values_list("start", "count")
        ]
    counts: dict[date, int] = {}
    for day, count in days:
        start = _start(day, period)
        counts[start] = counts.get(start, 0) + count
    if not counts:
        return []
    return [(start, counts.get(start, 0)) for start in _starts(min(counts), max(counts), period)]


def histogram(rows: Rows, field: str, width: float) -> list[tuple[float, int]]:
    """Return the number of rows per bucket of equal width.

    Args:
        rows: the rows to count.
        field: the name of a numeric field.
        width: the width of a bucket, in the unit of the field; above 0.

    Returns:
        Pairs of a bucket's lower bound and its count, without empty buckets.

    Raises:
        ValueError: the width is not above 0.
    """
    if width <= 0:
        raise ValueError(f"A histogram needs a bucket width above 0, not {width}.")
    if isinstance(local_field(rows, field), models.IntegerField):
        request = {"histogram": {"interval": width, "min_doc_count": 1}}
        if result := aggregate_in_index(rows, field, request):
            return [(bucket["key"], bucket["doc_count"]) for bucket in result["buckets"]]
    number = Cast(field, models.FloatField())
    groups = (
        without_nulls(rows, field).order_by().annotate(bound=Floor(number / width) * width)
        .values("bound").annotate(count=Count("*")).order_by("bound")
    )  # fmt: skip
    return list(groups.values_list("bound", "count"))


def percentiles(
    rows: Rows, field: str, percents: Sequence[float] = (50, 95, 99), *, approximate: bool = False
) -> dict[float, float]:
    """Return percentiles of a field.

    Args:
        rows: the rows to evaluate.
        field: the name of a numeric field.
        percents: the percentiles to compute, each from 0 to 100.
        approximate: allow an estimate that is off by about 1 percent.

    Returns:
        The value of each percentile; an empty dictionary if there are no rows.
    """
    if approximate and isinstance(
        local_field(rows, field), models.IntegerField | models.FloatField
    ):
        result = aggregate_in_index(rows, field, {"percentiles": {"percents": list(percents)}})
        if result and None not in result["values"].values():
            return {float(percent): value for percent, value in result["values"].items()}
    values = rows.order_by().aggregate(percentiles=Percentiles(field, percents))["percentiles"]
    return dict(zip(map(float, percents), values or [], strict=False))


def distinct(rows: Rows, field: str, *, approximate: bool = False) -> int:
    """Return the number of distinct values of a field.

    Args:
        rows: the rows to evaluate.
        field: the name of a field.
        approximate: allow an estimate that is off by a few percent.
    """
    if approximate and (result := aggregate_in_index(rows, field, {"cardinality": {}})):
        return int(result["value"])
    return int(rows.order_by().aggregate(count=Count(field, distinct=True))["count"])


class Percentiles(models.Aggregate):
    function = "percentile_cont"
    template = "%(function)s(%(percents)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, field: str, percents: Sequence[float], **extra: Any) -> None:
        # Part of the template, because Django takes a single expression here. Safe: numbers only.
        shares = ", ".join(repr(float(percent) / 100) for percent in percents)
        number = Cast(field, models.FloatField())
        super().__init__(
            number,
            output_field=ArrayField(models.FloatField()),
            percents=f"ARRAY[{shares}]::float8[]",
            **extra,
        )


def _days(rows: Rows, field: str) -> list[tuple[date, int]] | None:
    """Return the counts of all UTC days from ParadeDB's index, or None if only SQL has them."""
    if not isinstance(local_field(rows, field), models.DateTimeField):
        return None
    result = aggregate_in_index(
        rows, field, {"date_histogram": {"fixed_interval": "1d", "min_doc_count": 1}}
    )
    if result is None:
        return None
    # Numeric keys have a different epoch from pg_search 0.24.1 on; their text form is stable.
    return [
        (datetime.fromisoformat(bucket["key_as_string"]).date(), bucket["doc_count"])
        for bucket in result["buckets"]
    ]


def _start(day: date, period: Period) -> date:
    match period:
        case "day":
            return day
        case "week":
            return day - day.weekday() * DAY
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case "year":
            return day.replace(month=1, day=1)


def _starts(first: date, last: date, period: Period) -> Iterator[date]:
    """Yield the first day of every period between two periods, both included."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[period]
    start = first
    while start <= last:
        yield start
        start = _start(start + longest * DAY, period)
