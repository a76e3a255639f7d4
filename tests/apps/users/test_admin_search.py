import pytest
from django.test import Client

from tests.factories import make_article, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("search_engine")]


@pytest.fixture(autouse=True)
def people() -> None:
    make_user("ada@example.org", display_name="Ada Lovelace")
    make_user("grace@navy.example", display_name="Grace Hopper", biography="Wrote a compiler.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada@example.org", {"ada@example.org"}),
        ("ada@ex", {"ada@example.org"}),
        ("nav", {"grace@navy.example"}),
        ("grace hop", {"grace@navy.example"}),
        ("compilers", {"grace@navy.example"}),
        ("ada OR grace", {"ada@example.org", "grace@navy.example"}),
        ("nobody", set()),
        ("%00'\";--", set()),
    ],
)
def test_search_finds_people(admin_client: Client, text: str, found: set[str]) -> None:
    response = admin_client.get("/admin/users/user/", {"q": text})

    assert {user.email for user in response.context["cl"].result_list} == found


def test_blank_query_lists_everyone(admin_client: Client) -> None:
    response = admin_client.get("/admin/users/user/", {"q": " "})

    assert response.context["cl"].result_count == 3


def test_autocomplete_finds_article_authors(admin_client: Client) -> None:
    parameters = {"app_label": "articles", "model_name": "article", "field_name": "author"}

    response = admin_client.get("/admin/autocomplete/", parameters | {"term": "hopp"})

    assert [result["text"] for result in response.json()["results"]] == ["Grace Hopper"]


def test_search_finds_articles_by_body(admin_client: Client) -> None:
    make_article(title="Oak", body="Cut the tails first.")
    make_article(title="Pine")

    response = admin_client.get("/admin/articles/article/", {"q": "tail"})

    assert [article.title for article in response.context["cl"].result_list] == ["Oak"]
