"""Figures about rows: how many by value, by time and by size, percentiles, distinct values.

Each function takes any QuerySet. Where ParadeDB's index has the field, the answer comes from there;
otherwise PostgreSQL counts. Both give the same, unless `approximate` allows the index to estimate.
Rows without a value count for nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count
from django.db.models.functions import Cast, Floor, Trunc
from django.utils import timezone

from dovetail.search.aggregates import field_of, figures, with_value
from dovetail.search.facets import count_by

__all__ = ["count_by", "count_per", "distinct", "histogram", "percentiles"]

Period = Literal["day", "week", "month", "quarter", "year"]
Rows = models.QuerySet[Any]

DAY = timedelta(days=1)


def count_per(
    rows: Rows, field: str, period: Period, *, zone: tzinfo | None = None
) -> list[tuple[date, int]]:
    """Count the rows by when they were.

    Args:
        rows: what to count.
        field: a DateTimeField of them.
        period: weeks begin on Monday.
        zone: where a day begins; by default in the current time zone.

    Returns:
        The first day of every period from the first row to the last, with its count, also where
        that is 0.
    """
    zone = zone or timezone.get_current_timezone()
    days = _days(rows, field) if str(zone) == "UTC" or zone is UTC else None
    if days is None:
        truncated = Trunc(field, period, output_field=models.DateTimeField(), tzinfo=zone)
        groups = with_value(rows, field).order_by().annotate(start=truncated).values("start")
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
    """Count the rows by how large they are.

    Args:
        rows: what to count.
        field: a number.
        width: of a class, in the unit of the field; above 0.

    Returns:
        The least value of every class that has rows, and their number.
    """
    if width <= 0:
        raise ValueError(f"A class must have a width above 0, not {width}.")
    if isinstance(field_of(rows, field), models.IntegerField):
        request = {"histogram": {"interval": width, "min_doc_count": 1}}
        if answer := figures(rows, field, request):
            return [(bucket["key"], bucket["doc_count"]) for bucket in answer["buckets"]]
    number = Cast(field, models.FloatField())
    groups = (
        with_value(rows, field).order_by().annotate(least=Floor(number / width) * width)
        .values("least").annotate(count=Count("*")).order_by("least")
    )  # fmt: skip
    return list(groups.values_list("least", "count"))


def percentiles(
    rows: Rows, field: str, percents: Sequence[float] = (50, 95, 99), *, approximate: bool = False
) -> dict[float, float]:
    """Return below which value so many percent of the rows are.

    Args:
        rows: what to look at.
        field: a number.
        percents: each from 0 to 100.
        approximate: allow an estimate that is off by about 1 percent.

    Returns:
        The value of each percent; nothing when there are no rows.
    """
    if approximate and isinstance(field_of(rows, field), models.IntegerField | models.FloatField):
        answer = figures(rows, field, {"percentiles": {"percents": list(percents)}})
        if answer and None not in answer["values"].values():
            return {float(percent): value for percent, value in answer["values"].items()}
    values = rows.order_by().aggregate(percentiles=Percentiles(field, percents))["percentiles"]
    return dict(zip(map(float, percents), values or [], strict=False))


def distinct(rows: Rows, field: str, *, approximate: bool = False) -> int:
    """Count the different values of a field.

    Args:
        rows: what to look at.
        field: a field of them.
        approximate: allow an estimate, which is good to a few percent.
    """
    if approximate and (answer := figures(rows, field, {"cardinality": {}})):
        return int(answer["value"])
    return int(rows.order_by().aggregate(count=Count(field, distinct=True))["count"])


class Percentiles(models.Aggregate):
    function = "percentile_cont"
    template = "%(function)s(%(percents)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, field: str, percents: Sequence[float], **extra: Any) -> None:
        # Written into the statement: numbers, and Django lets an aggregate have one argument.
        shares = ", ".join(repr(float(percent) / 100) for percent in percents)
        number = Cast(field, models.FloatField())
        super().__init__(
            number,
            output_field=ArrayField(models.FloatField()),
            percents=f"ARRAY[{shares}]::float8[]",
            **extra,
        )


def _days(rows: Rows, field: str) -> list[tuple[date, int]] | None:
    """Return the counts of all days in UTC as ParadeDB has them, or None."""
    if not isinstance(field_of(rows, field), models.DateTimeField):
        return None
    answer = figures(rows, field, {"date_histogram": {"fixed_interval": "1d", "min_doc_count": 1}})
    if answer is None:
        return None
    # The number of a bucket has another origin in pg_search 0.24.1 and later; its text has not.
    return [
        (datetime.fromisoformat(bucket["key_as_string"]).date(), bucket["doc_count"])
        for bucket in answer["buckets"]
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
    """Yield the first day of every period from one to another."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[period]
    start = first
    while start <= last:
        yield start
        start = _start(start + longest * DAY, period)
