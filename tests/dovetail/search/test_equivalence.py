"""Both engines return the same rows and aggregates in thousands of generated cases."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from dovetail import analytics
from tests.dovetail.shelves.models import Page
from tests.engines import ENGINES, Use

WORDS = """
    run running runner ran shoe shoes red reddish blue joint joints jointed café cafe naïve Ångström
    dovetail dovetails mortise tenon universe university general generally organ organization the of
    to be or not and X-ray don't carpenter's 木の継手 木 継手 Жук жук 2024 7 v2 STRONG stronger
""".split()  # noqa: SIM905 - more readable as text
MORE = pytest.mark.long("compares hundreds of further queries")
SEEDS = [0, *(pytest.param(seed, marks=MORE) for seed in (1, 2, 3))]
OPERATORS = ["OR", '"{0} {1}"', "-{0}", '-"{0} {1}"', "({0})", "{0},", "{0}"]


@pytest.fixture
def on_each(use_engine: Use, django_db_blocker: DjangoDbBlocker) -> Callable[..., list[Any]]:
    """Return a function that calls another one on each engine, with the same rows."""

    def run(function: Callable[[], Any], rows: list[dict[str, Any]]) -> list[Any]:
        results = []
        for name in ENGINES:
            with use_engine(name), django_db_blocker.unblock(), transaction.atomic():
                Page.objects.bulk_create([Page(**row) for row in rows])
                results.append(function())
                transaction.set_rollback(True)
        return results

    return run


def make_rows(chance: random.Random, count: int) -> list[dict[str, Any]]:
    def text(most: int) -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(0, most)))

    start = datetime(2023, 12, 30, tzinfo=UTC)
    return [
        {
            "title": f"{text(3)} number{number}",
            "summary": text(4),
            "body": text(12),
            "kind": chance.choice(["", "tool", "book", "Ärger", "x y"]),
            "size": chance.choice([None, *range(-20, 200)]),
            "price": chance.choice([None, Decimal(chance.randint(-500, 9999)) / 100]),
            "read_at": chance.choice([None, start + timedelta(minutes=chance.randint(0, 600_000))]),
            "is_public": chance.random() < 0.5,
            "deleted_at": start if chance.random() < 0.1 else None,
        }
        for number in range(count)
    ]


def make_query(chance: random.Random) -> str:
    parts = [
        chance.choice(OPERATORS).format(*chance.choices(WORDS, k=2))
        for _ in range(chance.randint(1, 4))
    ]
    return " ".join(parts)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_find_the_same_rows(on_each: Callable[..., list[Any]], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    rows = make_rows(chance, 80)
    cases = [
        (make_query(chance), chance.choice(["all", "any", "phrase"]), chance.random() < 0.3)
        for _ in range(250)
    ]

    def search() -> list[set[str]]:
        return [
            {
                page.title
                for page in Page.objects.search(query, match=match, prefix=prefix)  # type: ignore[arg-type]
            }
            for query, match, prefix in cases
        ]

    paradedb, postgres = on_each(search, rows)
    different = [
        (case, sorted(first ^ second))
        for case, first, second in zip(cases, paradedb, postgres, strict=True)
        if first != second
    ]

    assert not different
    assert sum(map(bool, paradedb)) > 100  # guards against two engines that find nothing


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_compute_the_same_aggregates(
    on_each: Callable[..., list[Any]], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    rows = make_rows(chance, 200)
    zones = [UTC, timezone(timedelta(hours=-7))]

    def count() -> list[Any]:
        found = [
            Page.objects.all(),
            Page.all_objects.filter(is_public=True),
            Page.objects.exclude(kind="tool").filter(size__gte=50),
            Page.objects.search("joint OR red OR run"),
            Page.objects.filter(body__contains="shoe"),
            Page.objects.none(),
        ]
        aggregates: list[Any] = []
        for pages in found:
            aggregates += [
                analytics.count_by(pages, name) for name in ("kind", "size", "is_public")
            ]
            aggregates += [
                analytics.count_per(pages, "read_at", period, zone=zone)
                for period in ("day", "week", "month", "quarter", "year")
                for zone in zones
            ]
            aggregates += [analytics.histogram(pages, name, 25) for name in ("size", "price")]
            aggregates += [analytics.percentiles(pages, name) for name in ("size", "price")]
            aggregates += [analytics.distinct(pages, name) for name in ("kind", "size")]
        return aggregates

    paradedb, postgres = on_each(count, rows)

    assert paradedb == postgres
    assert any(paradedb)
