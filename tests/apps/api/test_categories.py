import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.articles.models import Category
from tests.apps.api.conftest import QueryCount
from tests.factories import make_article

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]

URL = "/api/v1/categories/"


def test_counts_the_published_articles_of_each(
    api: APIClient, client: Client, assert_queries: QueryCount
) -> None:
    for category in (Category.DESIGN, Category.DESIGN, Category.CULTURE):
        make_article(category=category)
    make_article(category=Category.DESIGN, published=False)
    make_article(category=Category.DESIGN).delete()
    api.get(URL)  # learns which engine the database has

    with assert_queries(1):
        answer = api.get(URL).json()

    assert [row["value"] for row in answer["results"]] == Category.values
    assert answer["next"] is answer["previous"] is None
    counts = {row["label"]: row["article_count"] for row in answer["results"]}
    assert counts["Business"] == 0
    # As the chips of the list, which leave out those without articles.
    [on_page, _] = client.get("/articles/").context["search"].facets()
    assert {choice.label: choice.count for choice in on_page.choices} == {
        label: count for label, count in counts.items() if count
    }
