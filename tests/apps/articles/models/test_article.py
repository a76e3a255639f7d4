import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import IntegrityError, transaction

from apps.articles.models import Article, Status
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


def test_new_article_is_a_draft() -> None:
    article = make_article(published=False)

    assert not article.is_published
    assert article.published_at is None


def test_publishing_again_keeps_the_first_publication_time() -> None:
    article = make_article()
    first = article.published_at

    article.unpublish()
    assert not article.is_published
    article.publish()

    article.refresh_from_db()
    assert article.is_published
    assert article.published_at == first


def test_database_rejects_a_published_article_without_a_time() -> None:
    article = make_article(published=False)

    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=article.pk).update(status=Status.PUBLISHED)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("On joints", "on-joints"),
        ("Über die Fuge", "über-die-fuge"),
        ("木の継手", "木の継手"),
        ("!!!", "article"),
        ("New", "new-2"),
        ("x" * 140, "x" * 140),
    ],
)
def test_slug_comes_from_the_title(title: str, slug: str) -> None:
    assert make_article(title=title).slug == slug


def test_slug_stays_when_the_title_changes() -> None:
    article = make_article()
    article.title = "On other things"
    article.save()

    assert article.slug == "on-joints"


def test_equal_titles_get_numbered_slugs() -> None:
    slugs = [make_article().slug for _ in range(3)]

    assert slugs == ["on-joints", "on-joints-2", "on-joints-3"]


def test_restored_article_gets_a_new_slug_if_its_own_is_taken() -> None:
    first = make_article()
    first.delete()
    second = make_article()
    assert second.slug == "on-joints"

    first.restore()

    first.refresh_from_db()
    assert not first.is_deleted
    assert first.slug == "on-joints-2"


def test_drafts_are_visible_to_their_author_and_editors() -> None:
    author, reader, editor = make_user(), make_user(), make_user()
    editor.user_permissions.add(Permission.objects.get(codename="change_article"))
    draft = make_article(author, published=False)
    published = make_article()

    assert set(Article.objects.visible_to(author)) == {draft, published}
    assert set(Article.objects.visible_to(editor)) == {draft, published}
    assert set(Article.objects.visible_to(reader)) == {published}
    assert set(Article.objects.visible_to(AnonymousUser())) == {published}


def test_articles_are_editable_by_their_author_and_editors() -> None:
    author, reader, editor = make_user(), make_user(), make_user()
    editor.user_permissions.add(Permission.objects.get(codename="change_article"))
    article = make_article(author)

    assert [article.can_be_edited_by(user) for user in (author, editor, reader)] == [
        True,
        True,
        False,
    ]
    assert not article.can_be_edited_by(AnonymousUser())
    assert [Article.objects.editable_by(user).count() for user in (author, editor, reader)] == [
        1,
        1,
        0,
    ]
    assert not Article.objects.editable_by(AnonymousUser())
