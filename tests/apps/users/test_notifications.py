"""The base model of notifications, their details, and broadcasts of the number of unread ones."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import CommentNotification
from apps.users.models import Notification, User
from apps.users.models.notification import with_details
from dovetail.cable.streams import sign, stream_name
from tests.dovetail.cable.conftest import Browser, Connect, _fresh_layer, connect
from tests.factories import make_article, make_comment, make_user

__all__ = ["_fresh_layer", "connect"]
pytestmark = pytest.mark.django_db


def make_notification(recipient: User, kind: str = "") -> Notification:
    notification = Notification(recipient=recipient)
    notification.save()
    if kind:
        Notification.objects.filter(pk=notification.pk).update(kind=kind)
    return notification


def test_notification_has_the_kind_and_template_of_its_model() -> None:
    article = make_article()
    make_comment(article, make_user())

    notification = Notification.objects.get()

    assert notification.kind == "articles.commentnotification"
    assert str(notification) == f"articles.commentnotification for {article.author}"
    (detailed,) = with_details([notification])
    assert detailed.template_name == "articles/_commentnotification.html"


def test_reading_marks_only_the_notifications_of_one_person() -> None:
    ada, bob = make_user(), make_user()
    for recipient in (ada, ada, bob):
        make_notification(recipient)

    Notification.objects.for_person(ada).mark_read()

    assert not Notification.objects.for_person(ada).unread().exists()
    assert Notification.objects.for_person(bob).unread().count() == 1


def test_time_of_reading_is_kept() -> None:
    recipient = make_user()
    make_notification(recipient)
    Notification.objects.mark_read()
    read_at = Notification.objects.get().read_at

    Notification.objects.mark_read()

    assert Notification.objects.get().read_at == read_at


class TestWithDetails:
    def test_keeps_the_order_with_one_query_per_kind(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        article = make_article()
        for _ in range(2):
            make_comment(article, make_user())
            make_notification(article.author)
        notifications = list(Notification.objects.all())

        with django_assert_num_queries(2):
            detailed = with_details(notifications)

        assert [row.pk for row in detailed] == [row.pk for row in notifications]
        assert [type(row) for row in detailed] == [Notification, CommentNotification] * 2

    def test_fetches_the_related_rows_that_the_template_needs(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        article = make_article(title="On joints")
        for name in ("Ada", "Bob"):
            make_comment(article, make_user(display_name=name))
        detailed = with_details(Notification.objects.all())

        with django_assert_num_queries(0):
            texts = [str(notification) for notification in detailed]

        assert texts == ["Bob commented on “On joints”", "Ada commented on “On joints”"]

    @pytest.mark.parametrize("kind", ["gone.notification", "articles.gone"])
    def test_leaves_out_kinds_without_a_model(self, kind: str) -> None:
        recipient = make_user()
        make_notification(recipient, kind)
        kept = make_notification(recipient)

        assert with_details(Notification.objects.all()) == [kept]

    def test_accepts_no_notifications(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0):
            assert with_details([]) == []


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await sync_to_async(function)(*args, **kwargs)


async def notifications_of(person: User, connect: Connect) -> Browser:
    """Return a browser that is subscribed to this person's notifications."""
    browser = await connect()
    signed = sign("TurboStreamsChannel", stream_name(person, "notifications"), None)
    channel = {"channel": "TurboStreamsChannel", "signed_stream_name": signed}
    assert (await browser.subscribe(json.dumps(channel)))["type"] == "confirm_subscription"
    return browser


async def next_count(browser: Browser) -> int:
    """Return the number of unread notifications in the next message."""
    message = (await browser.receive())["message"]
    assert message.startswith('<turbo-stream action="update" target="notification_count">')
    match = re.search(r">(\d+)</span>", message)
    return int(match[1]) if match else 0


@pytest.mark.django_db(transaction=True)
async def test_bulk_changes_broadcast_the_unread_count_once(connect: Connect) -> None:
    person: User = await call(make_user)
    for _ in range(3):
        await call(make_notification, person)
    browser = await notifications_of(person, connect)
    rows = Notification.objects.for_person(person)

    await call(rows.mark_read)
    assert await next_count(browser) == 0
    await call(rows.update, read_at=None)
    assert await next_count(browser) == 3
    await call(rows.delete)
    assert await next_count(browser) == 0

    assert await browser.receives_nothing()


@pytest.mark.django_db(transaction=True)
async def test_bulk_changes_of_one_kind_broadcast_the_unread_count(connect: Connect) -> None:
    article = await call(make_article)
    await call(make_comment, article, await call(make_user))
    browser = await notifications_of(article.author, connect)

    await call(CommentNotification.objects.mark_read)

    assert await next_count(browser) == 0
    assert await browser.receives_nothing()


@pytest.mark.django_db(transaction=True)
async def test_bulk_changes_are_broadcast_only_to_their_recipients(connect: Connect) -> None:
    ada: User = await call(make_user)
    bob: User = await call(make_user)
    await call(make_notification, ada)
    other = await notifications_of(bob, connect)

    await call(Notification.objects.for_person(ada).mark_read)

    assert await other.receives_nothing()
