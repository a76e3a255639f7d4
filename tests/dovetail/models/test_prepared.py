from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article, Comment
from dovetail.models.prepared import Prepared
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
