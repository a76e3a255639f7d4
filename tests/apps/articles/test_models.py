import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import IntegrityError, transaction

from apps.articles.models import Article, Status
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


def test_a_new_article_is_a_draft() -> None:
    article = make_article(published=False)

    assert not article.is_published
    assert article.published_at is None


def test_publishing_again_keeps_the_first_time() -> None:
    article = make_article()
    first = article.published_at

    article.unpublish()
    assert not article.is_published
    article.publish()

    article.refresh_from_db()
    assert article.is_published
    assert article.published_at == first


def test_the_database_refuses_a_publication_without_a_time() -> None:
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
def test_the_address_comes_from_the_title(title: str, slug: str) -> None:
    assert make_article(title=title).slug == slug


def test_the_address_stays_when_the_title_changes() -> None:
    article = make_article()
    article.title = "On other things"
    article.save()

    assert article.slug == "on-joints"


def test_equal_titles_get_different_addresses() -> None:
    slugs = [make_article().slug for _ in range(3)]

    assert slugs == ["on-joints", "on-joints-2", "on-joints-3"]


def test_an_address_is_free_again_after_deletion_and_given_anew_on_restore() -> None:
    first = make_article()
    first.delete()
    second = make_article()
    assert second.slug == "on-joints"

    first.restore()

    first.refresh_from_db()
    assert not first.is_deleted
    assert first.slug == "on-joints-2"


def test_drafts_are_for_their_authors_and_editors() -> None:
    author, reader, editor = make_user(), make_user(), make_user()
    editor.user_permissions.add(Permission.objects.get(codename="change_article"))
    draft = make_article(author, published=False)
    seen = make_article()

    assert set(Article.objects.visible_to(author)) == {draft, seen}
    assert set(Article.objects.visible_to(editor)) == {draft, seen}
    assert set(Article.objects.visible_to(reader)) == {seen}
    assert set(Article.objects.visible_to(AnonymousUser())) == {seen}


def test_only_authors_and_editors_edit() -> None:
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
