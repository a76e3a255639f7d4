"""The move of notifications from `articles.Notification` to kinds of `users.Notification`."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.articles.models import Article, CommentNotification
from apps.users.models import User
from tests.factories import make_comment
from tests.migrating import Migrate, migrating

pytestmark = pytest.mark.django_db(transaction=True)

LATEST = "0011_one_line"  # whose tables fit the models

BEFORE = "0002_discussion"


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    with migrating("articles") as migrate:
        yield migrate


def rows() -> list[dict[str, Any]]:
    return [{**row} for row in CommentNotification.all_objects.order_by("pk").values()]


def test_old_notification_becomes_a_comment_notification(
    migrate: Migrate, article: Article, author: User, reader: User
) -> None:
    comment = make_comment(article, author)  # one's own comment: it has no notification
    deleted = make_comment(article, author)
    deleted.delete()
    Old = migrate(BEFORE).get_model("articles", "Notification")  # noqa: N806
    read = Old.objects.create(recipient_id=reader.pk, comment_id=comment.pk, read_at=timezone.now())
    unread = Old.objects.create(recipient_id=reader.pk, comment_id=deleted.pk)

    migrate(LATEST)

    first = CommentNotification.all_objects.get(comment=comment)
    assert CommentNotification.objects.count() == 1
    assert (first.pk, first.created_at, first.updated_at, first.read_at) == (
        read.pk,
        read.created_at,
        read.updated_at,
        read.read_at,
    )
    assert (first.recipient, first.comment) == (reader, comment)
    assert first.kind == "articles.commentnotification"
    deleted.restore()
    second = CommentNotification.objects.unread().get()
    assert (second.pk, second.kind) == (unread.pk, first.kind)
    assert deleted.notification.pk == unread.pk


def test_notifications_survive_migrating_back_and_forth(
    migrate: Migrate, article: Article, author: User, reader: User
) -> None:
    comment = make_comment(article, reader)
    make_comment(article, reader).delete()
    CommentNotification.objects.mark_read()
    before = rows()
    assert [row["deleted_at"] is None for row in before] == [True, False]

    Old = migrate(BEFORE).get_model("articles", "Notification")  # noqa: N806
    assert Old.objects.filter(recipient_id=author.pk).count() == 2
    old = Old.objects.get(comment_id=comment.pk)
    assert (old.pk, old.read_at) == (before[0]["id"], before[0]["read_at"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users_notification")
        assert cursor.fetchone() == (0,)

    migrate(LATEST)
    assert rows() == before
