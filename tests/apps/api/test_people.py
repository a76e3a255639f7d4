from http import HTTPStatus

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.users.models import User
from tests.apps.api.conftest import QueryCount
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


def url(person: User) -> str:
    return f"/api/v1/users/{person.pk}/"


def test_shows_what_the_page_shows(
    api: APIClient, author: User, assert_queries: QueryCount
) -> None:
    author.biography = "Joins wood."
    author.save()
    make_article(author)
    make_article(author, published=False)
    make_article(author).delete()
    make_article()

    with assert_queries(1):
        answer = api.get(url(author))

    row = answer.json()
    assert row == {
        "id": str(author.pk),
        "name": "Ada Lovelace",
        "biography": "Joins wood.",
        "avatar": None,
        "article_count": 1,
        "page": f"/people/{author.pk}/",
        "joined_at": row["joined_at"],
    }
    assert author.email not in answer.text
    with assert_queries(1):
        same = api.get(url(author), headers={"if-none-match": answer["ETag"]})
    assert same.status_code == HTTPStatus.NOT_MODIFIED


@pytest.mark.parametrize("state", ["open", "closed", "banned"])
def test_has_the_people_with_a_page(
    api: APIClient, client: Client, author: User, state: str
) -> None:
    """Kind: someone whose page is gone, and whose profile a program still gets."""
    if state == "closed":
        author.request_deletion()
    if state == "banned":
        author.ban(by=make_user())

    on_page = client.get(author.get_absolute_url()).status_code

    assert api.get(url(author)).status_code == on_page
    assert on_page == (HTTPStatus.OK if state == "open" else HTTPStatus.NOT_FOUND)


def test_etag_changes_with_all_that_is_shown(api: APIClient, author: User) -> None:
    tags = [api.get(url(author))["ETag"]]
    make_article(author)
    tags.append(api.get(url(author))["ETag"])
    author.biography = "Joins wood."
    author.save()
    tags.append(api.get(url(author))["ETag"])
    User.objects.filter(pk=author.pk).update(email="countess@example.org")
    tags.append(api.get(url(author))["ETag"])

    assert len(set(tags)) == len(tags)
