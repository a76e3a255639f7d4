"""Results that are easy to check; test_equivalence.py compares the engines on many more."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from dovetail import analytics
from dovetail.search import aggregates
from tests.dovetail.shelves.models import Page, Shelf

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]


def page(title: str = "A page", **values: object) -> Page:
    return Page.objects.create(title=title, **values)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestCountBy:
    def test_largest_count_comes_first_and_ties_are_sorted(self) -> None:
        for kind in ("b", "c", "c", "a", "c", "b", "a", "d"):
            page(kind=kind)

        assert analytics.count_by(Page.objects.all(), "kind") == [
            ("c", 3),
            ("a", 2),
            ("b", 2),
            ("d", 1),
        ]
        assert analytics.count_by(Page.objects.all(), "kind", top=2) == [("c", 3), ("a", 2)]

    def test_values_keep_their_type_and_nulls_are_ignored(self) -> None:
        top = Shelf.objects.create(name="Top")
        page(shelf=top, size=3, is_public=True)
        page(shelf=None, size=None, is_public=False)
        page(shelf=top, size=3, is_public=True)

        rows = Page.objects.all()
        assert analytics.count_by(rows, "shelf") == [(top.pk, 2)]
        assert analytics.count_by(rows, "size") == [(3, 2)]
        assert analytics.count_by(rows, "is_public") == [(True, 2), (False, 1)]

    def test_field_may_follow_a_relation(self) -> None:
        page(shelf=Shelf.objects.create(name="Top"))
        page(shelf=Shelf.objects.create(name="Low"))

        counts = analytics.count_by(Page.objects.all(), "shelf__name")

        assert counts == [("Low", 1), ("Top", 1)]

    def test_accepts_any_queryset(self) -> None:
        top = Shelf.objects.create(name="Top")
        for number in range(6):
            page(kind="ab"[number % 2], size=number, shelf=top if number else None)
        page(kind="a").delete()

        rows = Page.objects.order_by("-size")
        assert analytics.count_by(rows.filter(shelf__name="Top"), "kind") == [("b", 3), ("a", 2)]
        assert analytics.count_by(rows.exclude(size=1), "kind") == [("a", 3), ("b", 2)]
        assert analytics.count_by(rows.filter(body=""), "kind") == [("a", 3), ("b", 3)]
        assert analytics.count_by(rows.none(), "kind") == []
        assert analytics.count_by(Page.all_objects.all(), "kind") == [("a", 4), ("b", 3)]
        assert analytics.count_by(rows.select_related("shelf"), "kind") == [("a", 3), ("b", 3)]


class TestCountPer:
    def test_periods_have_no_gaps(self) -> None:
        for day in ("2024-02-28", "2024-02-29", "2024-02-29", "2024-03-02"):
            page(read_at=at(day))
        page(read_at=None)

        rows = Page.objects.all()
        assert analytics.count_per(rows, "read_at", "day") == [
            (date(2024, 2, 28), 1),
            (date(2024, 2, 29), 2),
            (date(2024, 3, 1), 0),
            (date(2024, 3, 2), 1),
        ]
        assert analytics.count_per(rows, "read_at", "week") == [(date(2024, 2, 26), 4)]
        months = [(date(2024, 2, 1), 3), (date(2024, 3, 1), 1)]
        assert analytics.count_per(rows, "read_at", "month") == months
        assert analytics.count_per(rows, "read_at", "quarter") == [(date(2024, 1, 1), 4)]
        assert analytics.count_per(rows, "read_at", "year") == [(date(2024, 1, 1), 4)]
        assert analytics.count_per(rows.none(), "read_at", "year") == []

    def test_zone_sets_when_a_day_starts(self) -> None:
        page(read_at=at("2024-03-31T21:30"))
        page(read_at=at("2024-03-31T22:30"))

        berlin = analytics.count_per(
            Page.objects.all(), "read_at", "day", zone=ZoneInfo("Europe/Berlin")
        )
        assert berlin == [(date(2024, 3, 31), 1), (date(2024, 4, 1), 1)]
        assert analytics.count_per(Page.objects.all(), "read_at", "day") == [(date(2024, 3, 31), 2)]

    def test_dates_may_be_centuries_apart(self) -> None:
        page(read_at=at("1801-05-05"))
        page(read_at=at("2199-05-05"))

        years = analytics.count_per(Page.objects.all(), "read_at", "year")

        assert len(years) == 2199 - 1801 + 1
        assert sum(count for _, count in years) == 2


class TestNumbers:
    @pytest.fixture(autouse=True)
    def rows(self) -> None:
        for size in (-1, 0, 9, 10, 25, None):
            page(size=size, price=size and Decimal(size) / 2)

    def test_histogram_counts_rows_by_size(self) -> None:
        rows = Page.objects.all()

        assert analytics.histogram(rows, "size", 10) == [(-10, 1), (0, 2), (10, 1), (20, 1)]
        assert analytics.histogram(rows, "price", 5) == [(-5, 1), (0, 2), (5, 1), (10, 1)]
        assert analytics.histogram(rows.none(), "size", 10) == []

    @pytest.mark.parametrize("width", [0, -1])
    def test_histogram_needs_a_positive_width(self, width: int) -> None:
        with pytest.raises(ValueError, match="width above 0"):
            analytics.histogram(Page.objects.all(), "size", width)

    def test_percentiles_interpolate(self) -> None:
        rows = Page.objects.all()

        assert analytics.percentiles(rows, "size", (0, 50, 100)) == {0: -1, 50: 9, 100: 25}
        assert analytics.percentiles(rows, "size", (90,)) == {90: pytest.approx(19)}
        assert analytics.percentiles(rows, "price", (50,)) == {50: 4.5}
        assert analytics.percentiles(rows.none(), "size") == {}

    def test_approximate_percentiles_are_close(self) -> None:
        Page.objects.bulk_create(Page(title="A page", size=number) for number in range(1, 1001))

        rows = Page.objects.filter(size__gte=1, title="A page")
        estimate = analytics.percentiles(rows, "size", (50, 99), approximate=True)
        exact = analytics.percentiles(rows, "size", (50, 99))

        assert estimate == {
            percent: pytest.approx(value, rel=0.03) for percent, value in exact.items()
        }
        assert analytics.percentiles(rows.none(), "size", approximate=True) == {}

    def test_distinct(self) -> None:
        page(size=9)

        rows = Page.objects.all()
        assert analytics.distinct(rows, "size") == 5
        assert analytics.distinct(rows, "size", approximate=True) == 5
        assert analytics.distinct(rows, "title") == 1
        assert analytics.distinct(rows.none(), "size", approximate=True) == 0


def test_failing_index_aggregation_falls_back_to_sql(
    search_engine: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregates, "_reported", set())
    page(kind="a")

    def refuse(execute: object, sql: str, *arguments: object) -> object:
        return execute(sql.replace("pdb.agg(", "pdb.no_agg("), *arguments)  # type: ignore[operator]

    with connection.execute_wrapper(refuse):
        for _ in range(2):
            assert analytics.count_by(Page.objects.all(), "kind") == [("a", 1)]

    messages = [record.message for record in caplog.records]
    assert len(messages) == (1 if search_engine == "paradedb" else 0)
    assert all("counting with SQL" in message for message in messages)
