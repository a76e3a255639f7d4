from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.articles.models import Category
from apps.users.models import User
from tests.apps.api.conftest import QueryCount
from tests.factories import make_article, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]

URL = "/api/v1/search/articles/"


@pytest.fixture
def articles(author: User) -> None:
    grace = make_user(display_name="Grace")
    make_article(author, title="Wood joints", category=Category.DESIGN, body="Wood holds wood.")
    make_article(grace, title="Steel joints", category=Category.DESIGN, body="Screws & bolts.")
    make_article(grace, title="Glass", category=Category.CULTURE, body="No joint <b>holds</b> it.")
    make_article(author, title="Hidden joint", published=False)
    make_article(author, title="Deleted joint").delete()


def search(client: APIClient, **query: Any) -> dict[str, Any]:
    answer = client.get(URL, query)
    assert answer.status_code == HTTPStatus.OK, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("articles")
class TestResults:
    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"q": "joint"},
            {"q": "joint", "category": "design"},
            {"q": "joint -steel"},
            {"q": "gla"},
            {"category": "culture"},
            {"q": "joint", "ordering": "newest"},
            {"q": "nothing of the kind"},
            {"q": "stele joints"},
        ],
    )
    def test_are_those_of_the_page(
        self, api: APIClient, client: Client, query: dict[str, str]
    ) -> None:
        """Kind: two ways to the same search, with two sets of rules."""
        given = {name: value for name, value in query.items() if name != "ordering"}
        order = {"order": "date"} if "ordering" in query else {}
        page = client.get("/articles/", given | order).context

        found = search(api, **query)

        assert [row["title"] for row in found["results"]] == [
            article.title for article in page["page_obj"]
        ]
        assert found["count"] == page["page_obj"].paginator.count
        shown = page["search"]
        facets = {facet.label: facet.choices for facet in shown.facets()}
        for name, label in (("category", "Category"), ("author", "Author")):
            assert [(row["label"], row["count"]) for row in found["facets"][name]] == [
                (choice.label, choice.count) for choice in facets[label]
            ]
        assert found["suggestion"] == ("" if found["count"] else shown.suggestion)

    def test_show_where_the_text_matches(self, api: APIClient, author: User) -> None:
        [row] = search(api, q="joint glass")["results"]

        before, hit, after = row["snippet"]
        assert before == {"text": "No ", "is_hit": False}
        assert hit == {"text": "joint", "is_hit": True}
        assert "holds" in after["text"]
        assert "&" not in after["text"]  # is no HTML
        assert row["author"]["name"] == "Grace"
        assert "body" not in row
        [row] = search(api, author=author.pk)["results"]
        assert row["snippet"] == []

    def test_count_each_filter_by_the_others(self, api: APIClient, author: User) -> None:
        facets = search(api, q="joint", author=author.pk)["facets"]

        assert facets["category"] == [
            {"label": "Design", "value": "design", "count": 1, "is_chosen": False}
        ]
        chosen = {row["label"]: (row["count"], row["is_chosen"]) for row in facets["author"]}
        assert chosen == {"Grace": (2, False), "Ada Lovelace": (1, True)}
        assert {row["value"] for row in facets["author"]} >= {str(author.pk)}

    def test_suggest_other_words_if_there_are_none(self, api: APIClient) -> None:
        assert search(api, q="stele joints")["suggestion"] == "steel joints"
        assert search(api, q="joints")["suggestion"] == ""


class TestPages:
    def test_have_links_and_no_gaps(self, api: APIClient) -> None:
        for number in range(5):
            make_article(title=f"Joint {number}")
        first = api.get(f"{URL}?q=joint&page_size=2")
        second = api.get(first.json()["next"])
        third = api.get(second.json()["next"])

        pages = [answer.json() for answer in (first, second, third)]
        titles = {row["title"] for page in pages for row in page["results"]}
        assert len(titles) == 5
        assert {page["count"] for page in pages} == {5}
        assert f'<{pages[0]["next"]}>; rel="next"' in second["Link"] or "page=3" in second["Link"]
        assert 'rel="prev"' in second["Link"]
        assert pages[0]["previous"] is pages[2]["next"] is None
        assert api.get(pages[1]["previous"]).json() == pages[0]
        assert api.get(pages[2]["previous"]).json() == pages[1]
        assert search(api, q="joint", page=9)["results"] == []

    @pytest.mark.parametrize(
        ("query", "parameter", "told"),
        [
            ("q=" + "x" * 201, "q", "no more than 200 characters"),
            ("category=none", "category", '"none" is not a valid choice'),
            ("category=", "category", "not a valid choice"),
            ("author=ada", "author", "Must be a valid UUID"),
            ("ordering=title", "ordering", '"title" is not a valid choice'),
            ("page=0", "page", "Must be a whole number from 1 to 50."),
            ("page=51", "page", "Must be a whole number from 1 to 50."),
            ("page=3&page_size=500", "page_size", "Must be a whole number from 1 to 50."),
            ("page=21&page_size=50", "page", "Must be a whole number from 1 to 20."),
            ("cursor=abc", "cursor", "Is unknown. Known here: author, category, fields, "),
            ("expand=author", "expand", "Is unknown."),
            ("fields=body", "fields", "body: unknown."),
        ],
    )
    def test_name_the_wrong_parameter(
        self, api: APIClient, query: str, parameter: str, told: str
    ) -> None:
        make_article()

        answer = api.get(f"{URL}?{query}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
        [fault] = answer.json()["errors"]
        assert fault["parameter"] == parameter
        assert told in fault["detail"]

    def test_take_the_same_queries_for_any_number(
        self, api: APIClient, assert_queries: QueryCount
    ) -> None:
        for number in range(20):
            make_article(title=f"Joint {number}")
        api.get(URL)  # learns which engine the database has
        # The number of results, a page of them and its authors; the counts of two filters, and the
        # names of the authors among them.
        with assert_queries(6):
            assert len(search(api, q="joint", page_size=20)["results"]) == 20
        with assert_queries(5):  # without words, the authors are joined
            assert len(search(api, page_size=20)["results"]) == 20
