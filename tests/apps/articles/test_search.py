"""Searching the list of articles, and the dashboard."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.articles.models import Article, Category
from apps.users.models import User
from tests.factories import make_article, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]


@pytest.fixture
def ada() -> User:
    return make_user(display_name="Ada")


@pytest.fixture(autouse=True)
def articles(ada: User) -> None:
    grace = make_user(display_name="Grace")
    make_article(ada, title="Wood joints", category=Category.DESIGN, body="Wood holds wood.")
    make_article(grace, title="Steel joints", category=Category.DESIGN, body="Screws & bolts.")
    make_article(grace, title="Glass", category=Category.CULTURE, body="No joint <b>holds</b> it.")
    make_article(ada, title="Hidden joint", published=False)
    make_article(ada, title="Deleted joint").delete()


def titles(client: Client, **query: str) -> list[str]:
    return [article.title for article in client.get("/articles/", query).context["page_obj"]]


def facets(client: Client, **query: str) -> dict[str, dict[str, int | None]]:
    search = client.get("/articles/", query).context["search"]
    return {
        facet.label: {choice.label: choice.count for choice in facet.choices}
        for facet in search.facets()
    }


def test_words_find_published_articles(client: Client) -> None:
    assert set(titles(client, q="joint")) == {"Wood joints", "Steel joints", "Glass"}
    assert titles(client, q="joint -steel -glass") == ["Wood joints"]
    assert titles(client, q="gla") == ["Glass"]  # a prefix, while it is typed


def test_matches_are_marked_and_other_html_is_escaped(client: Client) -> None:
    text = client.get("/articles/", {"q": "joint glass"}).content.decode()

    assert "<mark>joint</mark>" in text
    assert "<b>holds</b>" not in text


def test_query_string_filters_and_orders(client: Client, ada: User) -> None:
    assert set(titles(client, q="joint", category="design")) == {"Wood joints", "Steel joints"}
    assert titles(client, q="joint", author=str(ada.pk)) == ["Wood joints"]
    assert titles(client, category="culture") == ["Glass"]

    Article.objects.filter(title="Wood joints").update(
        published_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    assert titles(client, q="joint", order="date") == ["Wood joints", "Glass", "Steel joints"]
    assert titles(client, q="wood OR screws")[0] == "Wood joints"


def test_each_filter_counts_its_matches(client: Client, ada: User) -> None:
    assert facets(client) == {
        "Category": {"Design": 2, "Culture": 1},
        "Author": {"Grace": 2, "Ada": 1},
    }
    assert facets(client, q="joint", author=str(ada.pk)) == {
        "Category": {"Design": 1},
        "Author": {"Grace": 2, "Ada": 1},
        "Order": {"Best match": None, "Newest": None},
    }
    # A chosen filter stays, so that it can be removed.
    assert facets(client, q="glass", category="design", author=str(ada.pk)) == {
        "Category": {"Design": 0},
        "Author": {"Ada": 0},
    }


def links(client: Client, **query: str) -> dict[str, str]:
    """Return the query string of each filter link by its label."""
    text = client.get("/articles/", query).content.decode()
    found = re.findall(r'<a href="([^"]*)"[^>]*class="chip"[^>]*>([^<]*)', text)
    return {label.strip(): href.replace("&amp;", "&") for href, label in found}


def test_filter_link_keeps_the_others_and_removes_itself(client: Client) -> None:
    unset = links(client, q="joint", order="date", page="1")
    assert unset["Design"] == "?q=joint&order=date&category=design"
    assert unset["Best match"] == "?q=joint"

    chosen = links(client, q="joint", category="design")
    assert chosen["Design"] == "?q=joint"
    assert titles(client, q="joint", category="") == titles(client, q="joint")


def test_search_form_keeps_the_filters(client: Client, ada: User) -> None:
    text = client.get("/articles/", {"category": "design", "author": str(ada.pk)}).content.decode()

    assert '<input type="hidden" name="category" value="design" form="search">' in text
    assert f'name="author" value="{ada.pk}" form="search"' in text


def test_search_without_results_suggests_one_with_results(client: Client) -> None:
    response = client.get("/articles/", {"q": "stele joints", "order": "date"})

    assert "Did you mean" in response.content.decode()
    assert response.context["search"].suggestion_query == "?q=steel+joints&order=date"
    assert titles(client, q="steel joints") == ["Steel joints"]

    assert "Did you mean" not in client.get("/articles/?q=zebra").content.decode()
    # The words are right, only the filter leaves nothing.
    assert "Did you mean" not in client.get("/articles/?q=glass&category=design").content.decode()


@pytest.mark.parametrize(
    "query",
    [
        *("?q=a%00b", "?q=" + "x" * 300, "?q=%ff", "?q=%F0%9F%AA%B5", "?q=%ed%a0%80", "?q=%25"),
        *("?category=none", "?author=1", "?author=00000000-0000-0000-0000-000000000000"),
        *("?order=up", "?q=<script>alert(1)</script>", "?q=-", "?q=%22"),
    ],
)
def test_invalid_search_is_not_an_error(client: Client, query: str) -> None:
    response = client.get(f"/articles/{query}")

    assert response.status_code == HTTPStatus.OK
    assert "<script>alert" not in response.content.decode()


def test_longer_list_takes_no_more_queries(client: Client, ada: User) -> None:
    def queries(**query: Any) -> int:
        client.get("/articles/", query)  # detects the engine, once per process
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/articles/", query)
        return len([q for q in captured.captured_queries if "SAVEPOINT" not in q["sql"]])

    few = queries(), queries(q="joint")
    for number in range(20):
        make_article(ada if number % 2 else make_user(), title=f"Another joint {number}")

    assert (queries(), queries(q="joint")) == few
    assert max(few) <= 6


class TestDashboard:
    def test_dashboard_shows_counts(self, client: Client) -> None:
        dashboard = client.get("/articles/dashboard/").context["dashboard"]

        assert (dashboard.count, dashboard.author_count) == (3, 2)
        assert [(bar.label, bar.count) for bar in dashboard.categories] == [
            ("Design", 2),
            ("Culture", 1),
        ]
        assert [(bar.label, bar.count, bar.share) for bar in dashboard.authors] == [
            ("Grace", 2, 100),
            ("Ada", 1, 50),
        ]
        assert len(dashboard.weeks) == 26
        assert [week.count for week in dashboard.weeks] == [0] * 25 + [3]
        assert dashboard.most == 3

    def test_chart_has_a_text_alternative_and_a_table(self, client: Client) -> None:
        text = client.get("/articles/dashboard/").content.decode()

        assert 'role="img" aria-labelledby="weeks-description"' in text
        assert (
            text.count('width="7"') == text.count('<th scope="row" class="font-normal"><time') == 26
        )
        assert "style=" not in text

    def test_dashboard_without_articles(self, client: Client) -> None:
        Article.objects.all().delete()

        response = client.get("/articles/dashboard/")

        assert response.context["dashboard"].count == 0
        assert "Nothing has been published yet." in response.content.decode()

    def test_no_article_takes_the_slug_of_the_dashboard(self) -> None:
        assert make_article(title="Dashboard").slug == "dashboard-2"
