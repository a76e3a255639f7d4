import pytest
from django.test import AsyncClient, Client
from rest_framework.test import APIClient

from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"


def test_what_has_an_etag_is_kept_and_checked_each_time() -> None:
    url = f"{LIST}{make_article().pk}/"
    answer = APIClient().get(url)
    unchanged = APIClient().get(url, headers={"if-none-match": answer["ETag"]})

    for found in (answer, unchanged):
        assert found["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", [LIST, f"{LIST}?none=1", "/api/v1/none/"])
def test_nothing_else_is_kept(path: str) -> None:
    assert APIClient().get(path)["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("path", [LIST, "/api/v1/none/"])
def test_answers_depend_on_who_asks_and_for_what(path: str) -> None:
    client = APIClient()
    client.force_login(make_user())
    vary = {name.strip() for name in client.get(path)["Vary"].split(",")}

    assert {"Authorization", "Cookie", "Accept"} <= vary


def test_pages_of_the_site_decide_for_themselves() -> None:
    answer = Client().get("/articles/")

    assert "Authorization" not in answer.get("Vary", "")
    assert answer["Cache-Control"] == "public, max-age=0"


async def test_answers_of_the_event_loop_have_them_too() -> None:
    answer = await AsyncClient().get("/api/v1/none/")

    assert answer["Cache-Control"] == "private, no-store"
