from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Value
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article, Comment
from dovetail.models.prepared import Prepared, PreparedRow
from tests.factories import make_article, make_comment

pytestmark = pytest.mark.django_db


def rows() -> Prepared:
    counted = Article.objects.annotate(number=Comment.objects.count_for_each_article())
    return Prepared(
        lambda pk: counted.filter(pk=pk).values_list("pk", "updated_at", "author__email", "number")
    )


def test_each_row_has_its_own_values(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    articles, prepared = [make_article(), make_article()], rows()
    make_comment(articles[1])

    for number, article in enumerate(articles):
        with django_assert_num_queries(1):
            [found] = prepared.rows(article.pk)
        assert found == (article.pk, article.updated_at, article.author.email, number)


def test_missing_row_is_not_found() -> None:
    article, prepared = make_article(), rows()
    article.delete()

    assert prepared.rows(article.pk) == []
    assert prepared.rows(uuid4()) == []


def by_slug() -> PreparedRow[Article]:
    rows = Article.objects.select_related("author").defer("body")
    counted = rows.annotate(number=Comment.objects.count_for_each_article())
    return PreparedRow(lambda slug, at: counted.filter(slug=slug, created_at__lt=at), str, datetime)


def test_row_is_an_instance_with_its_relations(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    articles, prepared = [make_article(), make_article(title="Other")], by_slug()
    make_comment(articles[1])
    later = timezone.now() + timedelta(hours=1)

    for number, article in enumerate(articles):
        with django_assert_num_queries(1):
            found = prepared.first(article.slug, later)
            assert found is not None
            assert (found, found.title, found.author.email, found._state.adding) == (
                *(article, article.title, article.author.email, False),
            )
            assert found.number == number  # type: ignore[attr-defined]
        with django_assert_num_queries(1):
            assert found.body == article.body
    assert prepared.first("missing", later) is None
    assert prepared.first(articles[0].slug, later - timedelta(days=9)) is None


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_on_its_own_connection() -> None:
    article, prepared = make_article(), by_slug()
    later = timezone.now() + timedelta(hours=1)

    def ask() -> Article | None:
        try:
            return prepared.first(article.slug, later)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:  # of which the first ones compile at once
        assert {one.result(60) for one in [pool.submit(ask) for _ in range(20)]} == {article}


def test_query_is_compiled_once() -> None:
    article, later, compiled = make_article(), timezone.now() + timedelta(hours=1), []

    class Counted(Value):
        def as_sql(self, *args: Any, **kwargs: Any) -> Any:
            compiled.append(self)
            return super().as_sql(*args, **kwargs)

    rows = Article.objects.annotate(one=Counted(1))
    one = PreparedRow(lambda slug, at: rows.filter(slug=slug, created_at__lt=at), str, datetime)
    other = Prepared(lambda pk: rows.filter(pk=pk).values_list("one"))
    for _ in range(3):
        assert one.first(article.slug, later) == article
        assert other.rows(article.pk) == [(1,)]

    assert len(compiled) == 2
