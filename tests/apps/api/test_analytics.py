from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.articles.models import Article, Category
from apps.users.models import User
from tests.apps.api.conftest import QueryCount
from tests.factories import make_article

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]

URL = "/api/v1/analytics/articles/"


def test_has_the_figures_of_the_page(
    api: APIClient, client: Client, author: User, assert_queries: QueryCount
) -> None:
    make_article(author, category=Category.CULTURE)
    make_article(author)
    make_article()
    make_article(author, published=False)
    old = make_article()
    Article.objects.filter(pk=old.pk).update(published_at=timezone.now() - timedelta(weeks=3))
    shown = client.get("/articles/dashboard/").context["dashboard"]

    # Articles, their authors, categories, the most active authors with their names, and weeks.
    with assert_queries(6):
        figures = api.get(URL).json()

    assert figures["article_count"] == shown.count == 4
    assert figures["author_count"] == shown.author_count == 3
    assert figures["categories"] == [
        {"category": "design", "label": "Design", "count": 3},
        {"category": "culture", "label": "Culture", "count": 1},
    ]
    assert figures["authors"][0] == {"author": str(author.pk), "name": "Ada Lovelace", "count": 2}
    for name, key, bars in (
        ("categories", "label", shown.categories),
        ("authors", "name", shown.authors),
    ):
        assert [(row[key], row["count"]) for row in figures[name]] == [
            (bar.label, bar.count) for bar in bars
        ]
    assert [(row["week"], row["count"]) for row in figures["weeks"]] == [
        (bar.label.isoformat(), bar.count) for bar in shown.weeks
    ]
    assert sum(row["count"] for row in figures["weeks"]) == 4


def test_without_articles_has_no_figures(api: APIClient) -> None:
    figures = api.get(URL).json()

    assert (figures["article_count"], figures["categories"], figures["authors"]) == (0, [], [])
    assert {row["count"] for row in figures["weeks"]} == {0}
