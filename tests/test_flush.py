"""A test that commits leaves the database as the migrations made it."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import TestCase, TransactionTestCase

from apps.users.models import SecurityEvent, User
from tests.factories import make_article, make_comment
from tests.flush import LARGEST_INDEX, rows_of_migrations

pytestmark = pytest.mark.django_db(transaction=True)


def finish_test() -> None:
    case: Any = TransactionTestCase("run")
    case._fixture_teardown()  # noqa: SLF001 - what Django calls after each test


def size_of_index(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s)", [name])
        (size,) = cursor.fetchone()
    return int(size)


def test_rows_of_the_test_are_gone() -> None:
    before = rows_of_migrations("default")
    article = make_article()
    make_comment(article=article)
    SecurityEvent.objects.create(user=article.author, kind=SecurityEvent.Kind.SIGNED_IN)

    finish_test()

    assert not User.objects.exists()
    assert not SecurityEvent.objects.exists()
    assert not type(article).objects.exists()
    assert rows_of_migrations("default") == before


def test_changed_content_types_and_permissions_are_recreated() -> None:
    before = rows_of_migrations("default")
    Permission.objects.all().delete()
    ContentType.objects.create(app_label="none", model="nothing")
    make_article()

    finish_test()

    assert rows_of_migrations("default") == before
    assert not User.objects.exists()


@pytest.mark.usefixtures("on_paradedb")
def test_search_index_does_not_grow_with_each_rollback() -> None:
    kept = make_article(title="A mortise")
    case: Any = TestCase("run")
    case._fixture_setup()  # noqa: SLF001 - what Django calls before each test that rolls back
    while size_of_index("article_search") <= LARGEST_INDEX:
        make_article(author=kept.author)

    case._fixture_teardown()  # noqa: SLF001

    assert size_of_index("article_search") < LARGEST_INDEX
    assert type(kept).objects.search("mortise").get() == kept
