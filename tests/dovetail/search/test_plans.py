"""What ParadeDB computes from its index alone, according to EXPLAIN."""

from typing import Any, Self

import pytest
from django.db import connection
from django.db.models import QuerySet

from dovetail import analytics
from tests.dovetail.shelves.models import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_paradedb")]


@pytest.fixture(autouse=True)
def rows(db: None) -> None:
    del db
    Page.objects.bulk_create(
        Page(title=f"Chisel {number}", body="Sharp.", kind="tool", size=number)
        for number in range(200)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE shelves_page")


def plan(rows: "QuerySet[Any]") -> str:
    return rows.explain(costs=False)


def test_ranked_page_is_a_top_k_scan() -> None:
    text = plan(Page.objects.search("chisel", snippet="body")[:12])

    assert "Custom Scan (ParadeDB" in text
    assert "TopN" in text or "TopK" in text  # pg_search 0.21 / later versions
    assert "Sort" not in text


def test_later_page_is_a_top_k_scan_too() -> None:
    text = plan(Page.objects.search("chisel")[24:36])

    assert "TopN" in text or "TopK" in text


@pytest.mark.parametrize(
    ("filters", "pushed_down"),
    [
        ({}, '"must_not":[{"exists":{"field":"deleted_at"}}]'),
        ({"kind": "tool"}, '{"term":{"field":"kind","value":"tool"'),
        ({"size__gte": 100}, '"field":"size"'),
        ({"is_public": True}, '"field":"is_public"'),
        ({"read_at__isnull": True}, '{"exists":{"field":"read_at"}}'),
    ],
)
def test_conditions_on_indexed_columns_are_pushed_down(
    filters: dict[str, Any], pushed_down: str
) -> None:
    text = plan(Page.objects.search("chisel").filter(**filters)[:12])

    query = next(line for line in text.splitlines() if "Tantivy Query" in line)
    assert pushed_down in query
    assert "heap_filter" not in query
    assert "TopN" in text or "TopK" in text


def test_count_reads_only_the_index() -> None:
    with connection.cursor() as cursor:
        sql, params = (
            Page.objects.search("chisel", rank=False).filter(kind="tool").query.sql_with_params()
        )
        cursor.execute(f"EXPLAIN (COSTS OFF) SELECT count(*) FROM ({sql}) AS rows", params)  # noqa: S608
        text = "\n".join(line for (line,) in cursor.fetchall())

    assert "Custom Scan (ParadeDB" in text
    assert "Filter:" not in text


@pytest.mark.parametrize("approximate", [True, False])
def test_analytics_read_only_the_index(approximate: bool) -> None:
    with CapturedPlans() as plans:
        analytics.count_by(Page.objects.all(), "kind")
        analytics.count_per(Page.objects.all(), "read_at", "week")
        analytics.histogram(Page.objects.all(), "size", 10)
        Page.objects.search("chisel").facets("kind")
        if approximate:
            analytics.percentiles(Page.objects.all(), "size", approximate=True)
            analytics.distinct(Page.objects.all(), "kind", approximate=True)

    assert len(plans.found) == (6 if approximate else 4)
    for text in plans.found:
        assert "Custom Scan (ParadeDB Aggregate Scan)" in text


class CapturedPlans:
    """Explains every query that calls `pdb.agg`."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __enter__(self) -> Self:
        self._wrapper = connection.execute_wrapper(self._explain)
        self._wrapper.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._wrapper.__exit__(*error)  # type: ignore[arg-type]

    def _explain(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "pdb.agg" in sql and not sql.startswith("EXPLAIN"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (COSTS OFF) {sql}", params)
                self.found.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, params, many, context)
