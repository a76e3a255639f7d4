"""Comment notifications, and how the pages of `apps.users` show them."""

from http import HTTPStatus

import pytest
from django.test import Client

from apps.articles.models import Article, CommentNotification
from apps.users.models import User
from tests.factories import make_comment

pytestmark = pytest.mark.django_db


def test_author_is_notified_of_other_peoples_comments_only(
    article: Article, author: User, reader: User
) -> None:
    make_comment(article, author)
    make_comment(article, reader)

    notification = CommentNotification.objects.get()
    assert notification.recipient == author
    assert str(notification) == "Bob commented on “On joints”"


def test_number_of_unread_notifications_is_in_the_navigation(
    client: Client, article: Article, author: User, reader: User
) -> None:
    make_comment(article, reader)
    make_comment(article, reader).delete()
    client.force_login(author)

    text = client.get("/people/me/notifications/").content.decode()

    assert "Bob commented on “On joints”" in text
    assert '<span class="badge badge-primary badge-xs">1</span>' in text


def test_reading_marks_notifications_as_read(
    client: Client, article: Article, author: User, reader: User
) -> None:
    make_comment(article, reader)
    client.force_login(author)

    response = client.post("/people/me/notifications/reading/", follow=True)

    assert not CommentNotification.objects.unread().exists()
    assert "badge-primary" not in response.content.decode()


def test_notifications_require_a_login(client: Client) -> None:
    response = client.get("/people/me/notifications/")

    assert response["Location"].startswith("/accounts/login/")


def test_get_request_marks_nothing_as_read(reader_client: Client) -> None:
    response = reader_client.get("/people/me/notifications/reading/")

    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
