"""The numbers on the home page and the list of articles: kept until an article changes."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.articles.models import Category
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def counts(client: Client, url: str) -> int:
    """Return how many queries of a page count rows."""
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    found = [query["sql"] for query in queries]
    return sum("COUNT(" in sql or "agg(" in sql or "GROUP BY" in sql for sql in found)


@pytest.mark.parametrize("url", ["/", "/articles/", "/articles/?category=design&page=1"])
@pytest.mark.usefixtures("search_engine")
def test_are_counted_once(client: Client, url: str) -> None:
    make_article(category=Category.DESIGN)

    assert counts(client, url) > 0
    assert counts(client, url) == 0
    make_article()
    assert counts(client, url) > 0


@pytest.mark.parametrize("name", ["q", "author"])
def test_are_not_kept_for_what_visitors_choose_freely(client: Client, name: str) -> None:
    author = make_user()
    make_article(author)
    value = {"q": "wood", "author": author.pk}[name]

    for _ in range(2):
        assert counts(client, f"/articles/?{name}={value}") > 0


def test_follow_every_change(client: Client) -> None:
    def shown() -> tuple[int, int]:
        home = client.get("/").context["overview"]
        page = client.get("/articles/").context["page_obj"]
        assert home.article_count == page.paginator.count
        return home.article_count, home.author_count

    assert shown() == (0, 0)
    article = make_article()
    assert shown() == (1, 1)
    make_article()
    assert shown() == (2, 2)
    article.unpublish()
    assert shown() == (1, 1)
    article.publish()
    assert shown() == (2, 2)
    article.delete()
    assert shown() == (1, 1)
    article.restore()
    assert shown() == (2, 2)
