"""Deleting needs the permission to delete, not the one to change."""

from http import HTTPStatus

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.articles.models import Article, Comment
from apps.users.models import User
from tests.factories import make_article, make_comment

pytestmark = pytest.mark.django_db


def grant(user: User, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename))


@pytest.mark.parametrize(("right", "is_deleted"), [("change", False), ("delete", True)])
def test_articles_of_others_are_deleted_by_those_who_may_delete(
    reader_client: Client, reader: User, article: Article, right: str, *, is_deleted: bool
) -> None:
    grant(reader, f"{right}_article")
    url = f"/articles/{article.slug}/"

    page = reader_client.get(url).content.decode()
    assert (f"{url}deletion/" in page) is is_deleted
    assert (f"{url}edit/" in page) is not is_deleted
    expected = HTTPStatus.OK if is_deleted else HTTPStatus.NOT_FOUND
    assert reader_client.get(f"{url}deletion/").status_code == expected
    reader_client.post(f"{url}deletion/")

    assert Article.objects.exists() is not is_deleted


@pytest.mark.parametrize(("right", "is_deleted"), [("change", False), ("delete", True)])
def test_comments_of_others_are_deleted_by_those_who_may_delete(
    reader_client: Client, reader: User, article: Article, right: str, *, is_deleted: bool
) -> None:
    grant(reader, f"{right}_comment")
    comment = make_comment(article)
    url = f"/articles/{article.slug}/comments/{comment.pk}/"

    expected = HTTPStatus.NOT_FOUND if is_deleted else HTTPStatus.OK
    assert reader_client.get(f"{url}edit/").status_code == expected
    reader_client.post(f"{url}deletion/")

    assert Comment.objects.exists() is not is_deleted


def test_permission_to_delete_shows_no_drafts_of_others(
    reader_client: Client, reader: User, author: User
) -> None:
    grant(reader, "delete_article")
    draft = make_article(author, published=False)

    assert reader_client.get(f"/articles/{draft.slug}/deletion/").status_code == 404


def test_authors_delete_what_they_wrote(author_client: Client, article: Article) -> None:
    assert "/deletion/" in author_client.get(f"/articles/{article.slug}/").content.decode()
    author_client.post(f"/articles/{article.slug}/deletion/")

    assert not Article.objects.exists()
