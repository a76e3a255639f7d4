import pytest

from apps.articles.models import Article, Comment
from tests.factories import make_comment

pytestmark = pytest.mark.django_db


def test_comments_are_deleted_and_restored_with_their_article(article: Article) -> None:
    make_comment(article)

    article.delete()
    assert not Comment.objects.exists()

    article.restore()
    assert Comment.objects.exists()
