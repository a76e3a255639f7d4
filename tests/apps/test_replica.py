"""What pages and the API read with prepared queries, from a replica that is behind."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.api.viewsets.articles import SEEN_BY_ALL
from apps.articles.models import Article, Comment
from apps.users.models import Notification, User
from apps.users.templatetags.notifications import unread_notifications
from dovetail.database.replica import ReplicaMiddleware, from_primary
from tests.factories import make_article, make_member
from tests.replicas import copy_to_replica, replica_with

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def replica(settings: Settings) -> Iterator[None]:
    with replica_with(settings, User, Article, Comment):
        yield


@pytest.fixture
def article() -> Article:
    """Return an article whose title the replica does not know yet."""
    row = make_article(title="Old title")
    copy_to_replica(row.author, row)
    row.title = "New title"
    row.save()
    return row


@pytest.fixture
def reader(client: Client) -> User:
    person = make_member()
    client.force_login(person)
    return person


@pytest.mark.usefixtures("reader")
def test_page_shows_what_its_reader_has_written(article: Article, client: Client) -> None:
    """Kind: an article that is not changed after it was saved."""
    url = article.get_absolute_url()
    for _ in range(2):
        assert "Old title" in client.get(url).text
        client.cookies["wrote"] = "1"
        assert "New title" in client.get(url).text
        del client.cookies["wrote"]


@pytest.mark.usefixtures("reader")
def test_withdrawn_article_is_not_kept_for_visitors(article: Article, client: Client) -> None:
    assert client.get(article.get_absolute_url()).status_code == 200  # from the replica
    article.unpublish()

    behind = Client().get(article.get_absolute_url())
    copy_to_replica(article)
    caught_up = Client().get(article.get_absolute_url())

    assert (behind.status_code, caught_up.status_code) == (404, 404)


def test_copy_of_a_visitor_holds_while_the_replica_is_behind(
    article: Article, client: Client
) -> None:
    """Its version is looked up where the row is read, wherever others were looked up before."""
    url = reverse("api:article-detail", args=[article.pk])
    with from_primary():
        new = SEEN_BY_ALL.rows(article.pk)

    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first["ETag"]})
    copy_to_replica(article)
    later = client.get(url, headers={"If-None-Match": first["ETag"]})

    assert (first.json()["title"], again.status_code) == ("Old title", 304)
    assert (later.status_code, later.json()["title"]) == (200, "New title")
    assert SEEN_BY_ALL.rows(article.pk) == new


def test_unread_notifications_are_counted_in_the_primary(reader: User) -> None:
    """The replica lacks the very table."""
    page: Any = ReplicaMiddleware(lambda _: HttpResponse(str(unread_notifications(reader))))

    before = page(RequestFactory().get("/"))
    Notification(recipient=reader).save()
    after = page(RequestFactory().get("/"))

    assert (before.content, after.content) == (b"0", b"1")
    assert unread_notifications(reader) == 1
