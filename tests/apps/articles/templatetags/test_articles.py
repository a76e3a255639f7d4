from http import HTTPStatus

import pytest
from django.http import Http404
from django.template import Context, Template
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article
from apps.users.models import User
from tests.factories import make_article

pytestmark = pytest.mark.django_db

BY = """{% load articles %}{% articles_by author as page %}
{{ page.number }}/{{ page.paginator.num_pages }}:
{% for article in page %} {{ article }}{% endfor %}"""
OVERVIEW = """{% load articles %}{% articles_overview as overview %}
{{ overview.article_count }} by {{ overview.author_count }}:
{% for article in overview.articles %} {{ article }}{% endfor %}"""


def render(template: str, url: str = "/", **context: object) -> str:
    context["request"] = RequestFactory().get(url)
    return " ".join(Template(template).render(Context(context)).split())


def test_articles_by_lists_published_articles_newest_first(author: User, reader: User) -> None:
    make_article(author, title="Old")
    make_article(author, title="New")
    make_article(author, title="Draft", published=False)
    make_article(author, title="Deleted").delete()
    make_article(reader, title="Other")

    assert render(BY, author=author) == "1/1: New Old"


def test_articles_by_shows_the_page_of_the_query_string(author: User) -> None:
    for number in range(13):
        make_article(author, title=str(number))

    assert render(BY, "/?page=2", author=author) == "2/2: 0"


@pytest.mark.parametrize("page", ["0", "2", "x", "-1", ""])
def test_articles_by_raises_404_for_a_missing_page(client: Client, author: User, page: str) -> None:
    make_article(author)

    with pytest.raises(Http404):
        render(BY, f"/?page={page}", author=author)
    response = client.get(author.get_absolute_url(), {"page": page})
    assert response.status_code == HTTPStatus.NOT_FOUND


def test_articles_overview_counts_articles_and_authors(
    author: User, reader: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(7):
        make_article(author, title=str(number))
    make_article(reader, title="Draft", published=False)
    make_article(reader, title="Deleted").delete()

    with django_assert_num_queries(3):
        assert render(OVERVIEW) == "7 by 1: 6 5 4 3 2 1"


def test_articles_overview_without_articles() -> None:
    assert not Article.objects.exists()
    assert render(OVERVIEW) == "0 by 0:"
