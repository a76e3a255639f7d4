import threading
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.articles.models import Article, Comment
from apps.articles.models.comment import MAX_PER_MINUTE
from tests.apps.test_lost_updates import wait_for_a_blocked_query
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db


def test_comments_are_deleted_and_restored_with_their_article(article: Article) -> None:
    make_comment(article)

    article.delete()
    assert not Comment.objects.exists()

    article.restore()
    assert Comment.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["/articles/{}/comments/", "/api/v1/articles/{}/comments/"])
def test_limit_holds_for_comments_at_the_same_time(client: Client, url: str) -> None:
    """Kind: count, then write. The last comment that is allowed commits after the count."""
    article, author = make_article(), make_user()
    for _ in range(MAX_PER_MINUTE - 1):
        make_comment(article, author)
    client.force_login(author)
    address = url.format(article.pk if "api" in url else article.slug)
    statuses: list[int] = []
    send = partial(client.post, content_type="application/json") if "api" in url else client.post

    def write() -> None:
        try:
            statuses.append(send(address, {"body": "Second."}).status_code)
        finally:
            connection.close()

    second = threading.Thread(target=write)
    with transaction.atomic():
        Comment.time_to_wait(author)
        make_comment(article, author, "First.")
        second.start()
        wait_for_a_blocked_query()
    second.join(30)

    assert statuses == [429 if "api" in url else 422]
    assert Comment.objects.filter(body="First.").exists()
    assert Comment.objects.count() == MAX_PER_MINUTE
