"""Broadcasts to the streams of articles, of the list and of users, and who may subscribe."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from apps.articles.models import Article, Comment, Status
from apps.users.models import User
from dovetail.cable.streams import sign, stream_name
from tests.dovetail.cable.conftest import Browser, Connect, _fresh_layer, connect, log_in
from tests.factories import make_article, make_comment, make_user

__all__ = ["_fresh_layer", "connect"]
pytestmark = pytest.mark.django_db(transaction=True)

REFRESH = '<turbo-stream action="refresh"></turbo-stream>'


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await sync_to_async(function)(*args, **kwargs)


def identifier(article: Article, user: User | None = None, stream: str = "") -> str:
    user_id = str(user.pk) if user else None
    signed = sign("ArticleChannel", stream or stream_name(article), user_id)
    return json.dumps({"channel": "ArticleChannel", "signed_stream_name": signed})


async def stream_of(connect: Connect, name: str) -> Browser:
    """Return a browser that is subscribed to the stream of this name."""
    browser = await connect()
    signed = sign("TurboStreamsChannel", name, None)
    channel = {"channel": "TurboStreamsChannel", "signed_stream_name": signed}
    assert (await browser.subscribe(json.dumps(channel)))["type"] == "confirm_subscription"
    return browser


async def next_of(browser: Browser, kind: str) -> str:
    """Return the next message with this action, skipping updates of the number of readers."""
    while True:
        frame = await browser.receive()
        if f'action="{kind}"' in str(frame.get("message", "")):
            return str(frame["message"])
        assert "readers_article" in str(frame), frame


async def test_changes_of_a_published_article_refresh_the_list(connect: Connect) -> None:
    browser = await stream_of(connect, "articles")
    article: Article = await call(make_article)
    assert (await browser.receive())["message"] == REFRESH

    for change in (
        article.save, article.delete, article.restore, article.unpublish, article.publish,
    ):  # fmt: skip
        await call(change)
        assert (await browser.receive())["message"] == REFRESH


async def test_changes_of_a_draft_do_not_refresh_the_list(connect: Connect) -> None:
    browser = await stream_of(connect, "articles")
    draft: Article = await call(make_article, published=False)

    for change in (draft.save, draft.delete, draft.restore):
        await call(change)

    assert await browser.receives_nothing()


def withdraw(article: Article) -> None:
    """Take back an article as if it had never been public."""
    article.status, article.published_at = Status.DRAFT, None
    article.save()


def publish_elsewhere(article: Article) -> None:
    Article.objects.get(pk=article.pk).publish()
    article.refresh_from_db()


async def test_article_that_loses_its_time_of_publication_leaves_the_list(
    connect: Connect,
) -> None:
    created: Article = await call(make_article)
    loaded: Article = await call(Article.objects.get, pk=(await call(make_article)).pk)
    deferred: Article = await call(
        Article.objects.defer("published_at").get, pk=(await call(make_article)).pk
    )
    refreshed: Article = await call(make_article, published=False)
    await call(publish_elsewhere, refreshed)
    changed: Article = await call(make_article)
    rows = Article.objects.filter(pk=changed.pk)
    browser = await stream_of(connect, "articles")

    for change in (
        partial(withdraw, created),
        partial(withdraw, loaded),
        partial(withdraw, deferred),
        partial(withdraw, refreshed),
        partial(rows.update, status=Status.DRAFT, published_at=None),
    ):
        await call(change)
        assert (await browser.receive())["message"] == REFRESH


async def test_readers_see_changes_of_the_article_and_its_comments(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await connect()
    assert (await browser.subscribe(identifier(article)))["type"] == "confirm_subscription"
    assert "1 person reading" in await next_of(browser, "update")

    await call(article.save)
    assert await next_of(browser, "refresh") == REFRESH

    reader: User = await call(make_user)
    comment = Comment(article=article, author=reader, body="Well cut.")
    await call(comment.save)
    assert "Well cut." in await next_of(browser, "append")
    comment.body = "Very well cut."
    await call(comment.save)
    assert "Very well cut." in (replaced := await next_of(browser, "replace"))
    assert 'method="morph"' in replaced  # keeps an edit form that is open there
    await call(comment.delete)
    assert f"comment_{comment.pk}" in await next_of(browser, "remove")
    await call(comment.restore)
    assert await next_of(browser, "refresh") == REFRESH


@pytest.mark.parametrize("change", ["unpublish", "delete"])
async def test_subscriptions_end_when_the_article_is_hidden(connect: Connect, change: str) -> None:
    article: Article = await call(make_article)
    browser = await connect()
    await browser.subscribe(identifier(article))
    await next_of(browser, "update")

    await call(getattr(article, change))

    assert (await browser.receive())["type"] == "reject_subscription"
    await call(article.save)
    assert await browser.receives_nothing()
    assert (await browser.subscribe(identifier(article)))["type"] == "reject_subscription"


async def test_bulk_operations_refresh_the_article_and_the_list(connect: Connect) -> None:
    article: Article = await call(make_article)
    browsers = [
        await stream_of(connect, "articles"),
        await stream_of(connect, stream_name(article)),
    ]
    rows = Article.all_objects.filter(pk=article.pk)

    for change in (partial(rows.update, title="On other joints"), rows.delete, rows.restore):
        await call(change)
        for browser in browsers:
            assert (await browser.receive())["message"] == REFRESH

    for browser in browsers:
        assert await browser.receives_nothing()


async def test_bulk_operations_on_drafts_do_not_refresh_the_list(connect: Connect) -> None:
    browser = await stream_of(connect, "articles")
    draft: Article = await call(make_article, published=False)
    rows = Article.all_objects.filter(pk=draft.pk)

    for change in (partial(rows.update, title="On other joints"), rows.delete, rows.restore):
        await call(change)

    assert await browser.receives_nothing()


async def test_bulk_deletion_ends_the_subscriptions_of_readers(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await connect()
    await browser.subscribe(identifier(article))
    await next_of(browser, "update")

    await call(Article.objects.filter(pk=article.pk).delete)

    assert (await browser.receive())["type"] == "reject_subscription"


async def test_bulk_operations_on_comments_update_open_pages(connect: Connect) -> None:
    article: Article = await call(make_article)
    comments = [await call(make_comment, article) for _ in range(2)]
    browser = await stream_of(connect, stream_name(article))

    await call(Comment.objects.filter(article=article).delete)
    for comment in comments:
        removal = f'<turbo-stream action="remove" target="comment_{comment.pk}"></turbo-stream>'
        assert (await browser.receive())["message"] == removal

    await call(Comment.all_objects.filter(article=article).restore)
    assert (await browser.receive())["message"] == REFRESH

    await call(Comment.objects.filter(article=article).update, body="Very well cut.")
    assert (await browser.receive())["message"] == REFRESH


@pytest.mark.parametrize("is_bulk", [False, True])
async def test_comments_deleted_for_good_leave_open_pages(
    connect: Connect, *, is_bulk: bool
) -> None:
    article: Article = await call(make_article)
    comment: Comment = await call(make_comment, article)
    browser = await stream_of(connect, stream_name(article))
    notifications = await stream_of(connect, stream_name(article.author, "notifications"))

    pk = comment.pk
    rows = Comment.all_objects.filter(pk=pk)
    await call(rows.hard_delete if is_bulk else comment.hard_delete)

    assert f'action="remove" target="comment_{pk}"' in (await browser.receive())["message"]
    assert ">1</span>" not in (await notifications.receive())["message"]


async def test_comments_of_a_removed_person_leave_open_pages(connect: Connect) -> None:
    article: Article = await call(make_article)
    comment: Comment = await call(make_comment, article)
    browser = await stream_of(connect, stream_name(article))

    await call(User.objects.filter(pk=comment.author_id).delete)

    assert f'action="remove" target="comment_{comment.pk}"' in (await browser.receive())["message"]


async def test_comments_created_in_bulk_appear_and_notify_the_author(connect: Connect) -> None:
    article: Article = await call(make_article)
    reader: User = await call(make_user)
    browser = await stream_of(connect, stream_name(article))
    notifications = await stream_of(connect, stream_name(article.author, "notifications"))
    people = (reader, reader, article.author)
    comments = [Comment(article=article, author=person, body="Well cut.") for person in people]

    await call(Comment.objects.bulk_create, comments)

    assert (await browser.receive())["message"] == REFRESH
    assert ">1</span>" in (await notifications.receive())["message"]
    assert ">2</span>" in (await notifications.receive())["message"]
    assert await notifications.receives_nothing()


async def test_only_the_author_may_subscribe_to_a_draft(connect: Connect) -> None:
    author: User = await call(make_user)
    other: User = await call(make_user)
    draft: Article = await call(make_article, author, published=False)

    for user, answer in (
        (author, "confirm_subscription"),
        (other, "reject_subscription"),
        (None, "reject_subscription"),
    ):
        browser = await connect(await call(log_in, user) if user else None)
        assert (await browser.subscribe(identifier(draft, user)))["type"] == answer


async def test_article_channel_rejects_other_streams(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await connect()

    answer = await browser.subscribe(identifier(article, stream="users.user:1"))

    assert answer["type"] == "reject_subscription"


async def test_number_of_unread_notifications_follows_the_comments(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await stream_of(connect, stream_name(article.author, "notifications"))
    reader: User = await call(make_user)
    comment = Comment(article=article, author=reader, body="Well cut.")

    for change, is_shown in (
        (comment.save, True),
        (comment.delete, False),
        (comment.restore, True),
        (article.delete, False),
        (article.restore, True),
    ):
        await call(change)
        message = (await browser.receive())["message"]
        assert message.startswith('<turbo-stream action="update" target="notification_count">')
        assert (">1</span>" in message) is is_shown


async def test_unread_notifications_are_counted_after_the_commit(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await stream_of(connect, stream_name(article.author, "notifications"))
    reader: User = await call(make_user)

    def comment_twice() -> None:
        with transaction.atomic():
            Comment(article=article, author=reader, body="Well cut.").save()
            Comment(article=article, author=reader, body="And well glued.").save()

    await call(comment_twice)

    for _ in range(2):
        assert ">2</span>" in (await browser.receive())["message"]
