import json
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.articles.models import Article, Comment, CommentNotification
from apps.articles.models.comment import MAX_PER_MINUTE
from apps.users.models import User
from dovetail.cable.streams import sign, stream_name
from tests.apps.api.conftest import QueryCount
from tests.dovetail.cable.conftest import Browser, Connect, _fresh_layer, connect
from tests.factories import make_article, make_comment, make_user

__all__ = ["_fresh_layer", "connect"]
pytestmark = pytest.mark.django_db


def of(article: Article) -> str:
    return f"/api/v1/articles/{article.pk}/comments/"


def url(comment: Comment) -> str:
    return f"/api/v1/comments/{comment.pk}/"


def moderator(*rights: str) -> User:
    user = make_user()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


class TestList:
    def test_shows_a_comment(self, api: APIClient, author: User) -> None:
        comment = make_comment(make_article(), author)

        [row] = api.get(of(comment.article)).json()["results"]

        assert row == {
            "id": str(comment.pk),
            "article": str(comment.article.pk),
            "author": str(author.pk),
            "body": "Well cut.",
            "is_removed": False,
            "page": f"/articles/on-joints/comments/{comment.pk}/",
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
        }

    def test_has_what_the_page_has(self, author: User) -> None:
        """Kind: two ways to the same rows, with two ideas of what is shown and in which order."""
        article, reader = make_article(), make_user()
        for body in ("First", "Second"):
            make_comment(article, reader, body)
        make_comment(article, author, "Withdrawn").delete(by=author)
        make_comment(article, author, "Removed").delete(by=moderator("delete_comment"))
        make_comment(make_article(), author, "Elsewhere")
        for person in (None, author, reader):
            page, client = Client(), APIClient()
            if person:
                page.force_login(person)
                client.force_login(person)

            shown = page.get(f"{article.get_absolute_url()}comments/").context["comments"]
            rows = client.get(of(article)).json()["results"]

            assert [row["id"] for row in reversed(rows)] == [str(row.pk) for row in shown]
            removed = [row for row in rows if row["is_removed"]]
            assert [row["body"] for row in removed] == ([""] if person == author else [])

    def test_starts_with_the_latest_and_has_no_gaps(self, api: APIClient) -> None:
        article = make_article()
        bodies = [str(number) for number in range(5)]
        for body in bodies:
            make_comment(article, body=body)

        first = api.get(f"{of(article)}?page_size=3").json()
        second = api.get(first["next"]).json()
        oldest = api.get(f"{of(article)}?ordering=created_at").json()

        found = [row["body"] for row in first["results"] + second["results"]]
        assert found == bodies[::-1]
        assert second["next"] is None
        assert [row["body"] for row in oldest["results"]] == bodies

    def test_takes_two_queries_for_any_number(
        self, api: APIClient, assert_queries: QueryCount
    ) -> None:
        article = make_article()
        for _ in range(20):
            make_comment(article)
        with assert_queries(2):
            answer = api.get(f"{of(article)}?expand=author")
        assert len({row["author"]["id"] for row in answer.json()["results"]}) == 20

    def test_of_an_unknown_article_does_not_exist(self, api: APIClient) -> None:
        article = make_article()
        article.hard_delete()

        answer = api.get(of(article))

        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer["Content-Type"] == "application/problem+json"


class TestCreate:
    def test_writes_a_comment_and_tells_the_author(self, as_author: APIClient) -> None:
        article = make_article()

        answer = as_author.post(of(article), {"body": "Well cut."})

        assert answer.status_code == HTTPStatus.CREATED, answer.content
        comment = Comment.objects.get()
        assert comment.body == "Well cut."
        assert CommentNotification.objects.get().recipient == article.author
        assert answer["Location"] == f"http://testserver{url(comment)}"
        again = as_author.get(url(comment))
        assert (answer["ETag"], answer.json()) == (again["ETag"], again.json())

    @pytest.mark.parametrize("body", [None, "", "  ", "x" * 2000, "x" * 2001, "  x  "])
    def test_takes_what_the_page_takes(
        self, as_author: APIClient, author: User, body: str | None
    ) -> None:
        """Kind: two ways to the same rows, with two sets of rules."""
        article, page = make_article(), Client()
        page.force_login(author)
        sent = {} if body is None else {"body": body}
        page.post(f"{article.get_absolute_url()}comments/", sent)
        by_page = [comment.body for comment in Comment.objects.all()]

        answer = as_author.post(of(article), sent)

        by_api = [comment.body for comment in Comment.objects.all()[len(by_page) :]]
        assert by_api == by_page
        if not by_api:
            assert answer.status_code == HTTPStatus.BAD_REQUEST
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/body"]

    def test_has_the_limit_of_the_page(self, as_author: APIClient, author: User) -> None:
        article = make_article()
        for _ in range(MAX_PER_MINUTE):
            make_comment(article, author)
        # The first of them was written 20 seconds ago.
        first = Comment.objects.order_by("id")[:1].values("pk")
        ago = timezone.now() - timedelta(seconds=20)
        Comment.objects.filter(pk__in=first).update(created_at=ago)

        answer = as_author.post(of(article), {"body": "One too many."})

        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert answer.json()["code"] == "flood"
        assert answer.json()["detail"].startswith("You have posted a lot of comments")
        assert 30 < int(answer["Retry-After"]) <= 40
        assert Comment.objects.count() == MAX_PER_MINUTE

    @pytest.mark.parametrize("name", ["author", "article", "is_removed", "bodi"])
    def test_ignores_nothing(self, as_author: APIClient, name: str) -> None:
        answer = as_author.post(of(make_article()), {"body": "Text", name: "x"})

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"#/{name}"]

    def test_takes_few_queries(self, as_author: APIClient, assert_queries: QueryCount) -> None:
        article = make_article()
        # The session, the person and their permissions; the article with its author; the lock and
        # the limit; the comment, the notification with what it extends, and the call of its mail.
        with assert_queries(9):
            as_author.post(of(article), {"body": "Well cut."})


class TestDetail:
    def test_takes_one_query(self, api: APIClient, assert_queries: QueryCount) -> None:
        comment = make_comment(make_article())
        with assert_queries(1):
            etag = api.get(f"{url(comment)}?expand=author")["ETag"]
        with assert_queries(1):
            answer = api.get(f"{url(comment)}?expand=author", headers={"if-none-match": etag})
        assert answer.status_code == HTTPStatus.NOT_MODIFIED

    def test_etag_changes_with_the_name_of_the_author(self, api: APIClient, author: User) -> None:
        User.objects.filter(pk=author.pk).update(display_name="")
        address = f"{url(make_comment(make_article(), author))}?expand=author"
        etag = api.get(address)["ETag"]

        User.objects.filter(pk=author.pk).update(email="countess@example.org")

        answer = api.get(address, headers={"if-none-match": etag})
        assert answer.json()["author"]["name"] == "countess"

    def test_deleted_comment_does_not_exist(self, as_author: APIClient, author: User) -> None:
        comment = make_comment(make_article(), author)
        comment.delete(by=moderator("delete_comment"))

        assert as_author.get(url(comment)).status_code == HTTPStatus.NOT_FOUND
        on_page = Client().get(comment.get_absolute_url())
        assert on_page.status_code == HTTPStatus.NOT_FOUND


class TestChange:
    def test_needs_the_version_that_was_read(self, as_author: APIClient, author: User) -> None:
        comment = make_comment(make_article(), author)
        etag = {"if-match": as_author.get(url(comment))["ETag"]}

        without = as_author.patch(url(comment), {"body": "Unread"})
        answer = as_author.patch(url(comment), {"body": "Changed"}, headers=etag)
        late = as_author.patch(url(comment), {"body": "Overwritten"}, headers=etag)

        assert without.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert answer.status_code == HTTPStatus.OK
        assert answer["ETag"] == as_author.get(url(comment))["ETag"]
        assert late.status_code == HTTPStatus.PRECONDITION_FAILED
        comment.refresh_from_db()
        assert comment.body == "Changed"

    def test_is_deleted_by_someone(self, as_author: APIClient, author: User) -> None:
        """Kind: a deletion that does not say by whom, so that anyone's counts as a moderator's."""
        comment = make_comment(make_article(), author)

        answer = as_author.delete(url(comment), headers={"if-match": "*"})

        assert answer.status_code == HTTPStatus.NO_CONTENT
        comment.refresh_from_db()
        assert comment.is_deleted
        assert not comment.is_removed_by_others

    @pytest.mark.parametrize("right", ["change_comment", "delete_comment"])
    def test_has_the_rights_of_the_page(self, right: str) -> None:
        """Kind: two ways to the same rows, with two ideas of who may change them."""
        person = moderator(right)
        page, client = Client(), signed_in(person)
        page.force_login(person)
        comments = [make_comment(make_article()) for _ in range(2)]
        edits = page.get(f"{comments[0].get_absolute_url()}edit/").status_code
        deletes = page.post(f"{comments[0].get_absolute_url()}deletion/").status_code

        any_version = {"if-match": "*"}
        changed = client.patch(url(comments[1]), {"body": "New"}, headers=any_version)
        deleted = client.delete(url(comments[1]), headers=any_version)

        assert (changed.status_code == HTTPStatus.OK) == (edits == HTTPStatus.OK)
        was_deleted = deletes in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}
        assert (deleted.status_code == HTTPStatus.NO_CONTENT) == was_deleted
        assert {changed.status_code, deleted.status_code} & {HTTPStatus.FORBIDDEN}


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await sync_to_async(function)(*args, **kwargs)


async def next_of(browser: Browser, kind: str) -> str:
    """Return the next message with this action, skipping updates of the number of readers."""
    while True:
        frame = await browser.receive()
        if f'action="{kind}"' in str(frame.get("message", "")):
            return str(frame["message"])
        assert "readers_article" in str(frame), frame


@pytest.mark.django_db(transaction=True)
async def test_readers_see_what_happens_by_the_api(connect: Connect) -> None:
    """Kind: a change that only those who load the page again get to see."""
    article: Article = await call(make_article)
    client: APIClient = await call(signed_in, await call(make_user))
    browser = await connect()
    signed = sign("ArticleChannel", stream_name(article), None)
    channel = json.dumps({"channel": "ArticleChannel", "signed_stream_name": signed})
    assert (await browser.subscribe(channel))["type"] == "confirm_subscription"

    await call(client.post, of(article), {"body": "Well cut."})
    assert "Well cut." in await next_of(browser, "append")
    comment = await Comment.objects.aget()
    any_version = {"if-match": "*"}
    await call(client.patch, url(comment), {"body": "Very well cut."}, headers=any_version)
    assert "Very well cut." in await next_of(browser, "replace")
    await call(client.delete, url(comment), headers=any_version)
    assert f"comment_{comment.pk}" in await next_of(browser, "remove")
