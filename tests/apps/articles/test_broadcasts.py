"""What the followers of an article, of the list and of a person are told, and who may be one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from apps.articles.models import Article
from apps.articles.models.comment import Comment
from apps.users.models import User
from dovetail.cable.streams import sign, stream_name
from tests.dovetail.cable.conftest import Browser, Connect, _fresh_layer, connect, log_in
from tests.factories import make_article, make_user

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
    browser = await connect()
    signed = sign("TurboStreamsChannel", name, None)
    channel = {"channel": "TurboStreamsChannel", "signed_stream_name": signed}
    assert (await browser.subscribe(json.dumps(channel)))["type"] == "confirm_subscription"
    return browser


async def next_of(browser: Browser, kind: str) -> str:
    """Return the next message with this action; the number of readers comes in between."""
    while True:
        frame = await browser.receive()
        if f'action="{kind}"' in str(frame.get("message", "")):
            return str(frame["message"])
        assert "readers_article" in str(frame), frame


async def test_what_happens_to_a_published_article_refreshes_the_list(connect: Connect) -> None:
    browser = await stream_of(connect, "articles")
    article: Article = await call(make_article)
    assert (await browser.receive())["message"] == REFRESH

    for change in (
        article.save, article.delete, article.restore, article.unpublish, article.publish,
    ):  # fmt: skip
        await call(change)
        assert (await browser.receive())["message"] == REFRESH


async def test_the_work_on_a_draft_is_nobody_elses_business(connect: Connect) -> None:
    browser = await stream_of(connect, "articles")
    draft: Article = await call(make_article, published=False)

    for change in (draft.save, draft.delete, draft.restore):
        await call(change)

    assert await browser.receives_nothing()


async def test_readers_of_a_published_article(connect: Connect) -> None:
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
    assert 'method="morph"' in replaced  # an edit form that somebody has open there stays
    await call(comment.delete)
    assert f"comment_{comment.pk}" in await next_of(browser, "remove")
    await call(comment.restore)
    assert await next_of(browser, "refresh") == REFRESH


@pytest.mark.parametrize("change", ["unpublish", "delete"])
async def test_who_may_read_no_more_follows_no_more(connect: Connect, change: str) -> None:
    article: Article = await call(make_article)
    browser = await connect()
    await browser.subscribe(identifier(article))
    await next_of(browser, "update")

    await call(getattr(article, change))

    assert (await browser.receive())["type"] == "reject_subscription"
    await call(article.save)
    assert await browser.receives_nothing()
    assert (await browser.subscribe(identifier(article)))["type"] == "reject_subscription"


async def test_a_draft_is_followed_by_its_author_alone(connect: Connect) -> None:
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


async def test_an_article_channel_carries_no_other_stream(connect: Connect) -> None:
    article: Article = await call(make_article)
    browser = await connect()

    answer = await browser.subscribe(identifier(article, stream="users.user:1"))

    assert answer["type"] == "reject_subscription"


async def test_the_number_of_unread_notes_follows_the_comments(connect: Connect) -> None:
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


async def test_the_number_is_counted_after_the_commit(connect: Connect) -> None:
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
