from http import HTTPStatus
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from rest_framework.test import APIClient

from apps.api.serializers.notifications import SERIALIZERS
from apps.users.models import Notification, User
from tests.apps.api.conftest import QueryCount
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db

URL = "/api/v1/notifications/"


def rows(client: APIClient, query: str = "") -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = client.get(f"{URL}{query}").json()["results"]
    return results


class TestList:
    def test_says_what_a_notification_is_about(self, as_author: APIClient, author: User) -> None:
        reader = make_user(display_name="Grace")
        comment = make_comment(make_article(author), reader, "Well cut.")

        [row] = rows(as_author)

        assert row == {
            "id": row["id"],
            "kind": "articles.commentnotification",
            "text": "Grace commented on “On joints”",
            "read_at": None,
            "created_at": row["created_at"],
            "comment": {
                "id": str(comment.pk),
                "article": {
                    "id": str(comment.article.pk),
                    "title": "On joints",
                    "page": "/articles/on-joints/",
                },
                "author": {"id": str(reader.pk), "name": "Grace", "avatar": None},
                "body": "Well cut.",
                "is_removed": False,
                "page": f"/articles/on-joints/comments/{comment.pk}/",
                "created_at": row["comment"]["created_at"],
                "updated_at": row["comment"]["updated_at"],
            },
        }

    def test_has_what_the_page_has(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        for _ in range(3):
            make_comment(article)
        make_comment(article).delete()
        make_comment(make_article())  # for someone else
        page = Client()
        page.force_login(author)

        shown = page.get("/people/me/notifications/").context["notifications"]

        assert [row["id"] for row in rows(as_author)] == [str(row.pk) for row in shown]

    def test_of_a_kind_without_details_has_what_all_have(
        self, as_author: APIClient, author: User
    ) -> None:
        Notification(recipient=author).save()

        [row] = rows(as_author)

        assert row["kind"] == "users.notification"
        assert "comment" not in row

    def test_has_every_kind(self) -> None:
        """Kind: a new kind whose notifications do not say what they are about."""
        kinds = [model for model in apps.get_models() if issubclass(model, Notification)]
        assert set(SERIALIZERS) == set(kinds) - {Notification}

    def test_takes_one_query_for_each_kind(
        self,
        as_author: APIClient,
        author: User,
        assert_queries: QueryCount,
    ) -> None:
        for _ in range(20):
            make_comment(make_article(author))
        # The session, the person, a page of notifications, and their comments.
        with assert_queries(3):
            assert len(rows(as_author)) == 20

    def test_is_limited_to_unread_or_read_ones(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        make_comment(article, body="Old")
        as_author.post(f"{URL}reading/")
        make_comment(article, body="New")

        found = {
            value: [row["comment"]["body"] for row in rows(as_author, f"?unread={value}")]
            for value in ("true", "false")
        }

        assert found == {"true": ["New"], "false": ["Old"]}

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [("unread=yes", "unread"), ("red=1", "red"), ("fields=id", "fields")],
    )
    def test_names_the_wrong_parameter(
        self, as_author: APIClient, query: str, parameter: str
    ) -> None:
        answer = as_author.get(f"{URL}?{query}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


class TestReading:
    def test_marks_ones_own_as_read(self, as_author: APIClient, author: User) -> None:
        for person in (author, author, make_user()):
            make_comment(make_article(person))

        answer = as_author.post(f"{URL}reading/")

        assert answer.status_code == HTTPStatus.NO_CONTENT
        assert not Notification.objects.for_person(author).unread().exists()
        assert Notification.objects.unread().count() == 1
        assert all(row["read_at"] for row in rows(as_author))
