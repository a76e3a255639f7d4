"""What a moderator removes is restored by moderators only."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.test import Client

from apps.articles.models import Article, Comment
from apps.users.models import User
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def moderator() -> User:
    user = make_user(display_name="Mo", is_staff=True)
    names = ["change", "delete", "view"]
    codenames = [f"{name}_{model}" for name in names for model in ("article", "comment")]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def moderator_client(moderator: User) -> Client:
    client = Client()
    client.force_login(moderator)
    return client


def by_page(client: Client, article: Article) -> None:
    client.post(f"/articles/{article.slug}/deletion/")


def by_admin(client: Client, article: Article) -> None:
    client.post(f"/admin/articles/article/{article.pk}/delete/", {"post": "yes"})


def by_admin_action(client: Client, article: Article) -> None:
    client.post(
        "/admin/articles/article/?deleted=all",
        {"action": "delete_selected", "_selected_action": [article.pk], "post": "yes"},
    )


DOORS = [by_page, by_admin, by_admin_action]
Door = Callable[[Client, Article], None]


@pytest.mark.parametrize("remove", DOORS)
def test_author_cannot_restore_what_a_moderator_removed(
    author_client: Client,
    author: User,
    article: Article,
    moderator_client: Client,
    remove: Door,
) -> None:
    remove(moderator_client, article)
    assert not Article.objects.exists()

    page = author_client.get("/articles/trash/").content.decode()
    assert "Removed by a moderator" in page
    assert "/restoration/" not in page
    response = author_client.post(f"/articles/trash/{article.pk}/restoration/", follow=True)

    assert "A moderator removed this article" in response.content.decode()
    assert not Article.objects.exists()
    with pytest.raises(PermissionDenied):
        Article.all_objects.filter(author=author).restore(by=author)
    assert not Article.all_objects.restorable_by(author).exists()


def test_author_reads_on_the_articles_page_that_it_was_removed(
    author_client: Client, article: Article, moderator_client: Client
) -> None:
    by_page(moderator_client, article)
    reader_client = Client()
    reader_client.force_login(make_user())

    own = author_client.get(f"/articles/{article.slug}/")
    assert own.status_code == HTTPStatus.NOT_FOUND
    assert "A moderator removed this article" in own.content.decode()
    others = reader_client.get(f"/articles/{article.slug}/")
    assert others.status_code == HTTPStatus.NOT_FOUND
    assert "moderator" not in others.content.decode()


@pytest.mark.parametrize("remove", [by_admin, by_admin_action])
def test_article_that_its_author_deleted_first_can_be_removed_too(
    author_client: Client, article: Article, moderator_client: Client, remove: Door
) -> None:
    """Deleting one's own text, before a moderator sees it, must not keep a way to restore it."""
    comment = make_comment(article)
    by_page(author_client, article)
    remove(moderator_client, article)

    author_client.post(f"/articles/trash/{article.pk}/restoration/")
    assert not Article.objects.exists()

    Article.all_objects.get().restore()
    assert Comment.objects.get() == comment  # it went, and comes back, with the article


def test_removal_survives_the_closing_and_restoring_of_the_account(
    author: User, article: Article, moderator: User, moderator_client: Client
) -> None:
    removed_before = make_article(author, title="Before")
    removed_before.delete(by=moderator)
    removed_meanwhile = make_article(author, title="Meanwhile")
    author.request_deletion()
    by_admin(moderator_client, removed_meanwhile)

    author.restore()

    assert list(Article.objects.all()) == [article]


def test_restoring_an_article_restores_no_comment_that_was_removed(
    author_client: Client, article: Article, moderator: User
) -> None:
    before, meanwhile = make_comment(article), make_comment(article, body="Spam")
    kept = make_comment(article)
    before.delete(by=moderator)
    by_page(author_client, article)
    Comment.all_objects.filter(pk=meanwhile.pk).take_over_deletion(moderator)

    author_client.post(f"/articles/trash/{article.pk}/restoration/")

    assert list(Comment.objects.all()) == [kept]


def test_removal_survives_the_account_of_the_moderator(
    author_client: Client, article: Article, moderator: User, moderator_client: Client
) -> None:
    by_page(moderator_client, article)
    moderator.delete()

    author_client.post(f"/articles/trash/{article.pk}/restoration/")

    assert not Article.objects.exists()
    assert "Removed by a moderator" in author_client.get("/articles/trash/").content.decode()


@pytest.mark.parametrize("door", ["page", "admin", "second deletion", "another author"])
def test_moderators_cannot_restore_articles_of_their_own(
    moderator: User, moderator_client: Client, door: str
) -> None:
    own = make_article(moderator)
    own.delete(by=make_user())

    if door == "page":
        moderator_client.post(f"/articles/trash/{own.pk}/restoration/")
    elif door == "admin":
        moderator_client.post(
            "/admin/articles/article/?deleted=yes",
            {"action": "restore_selected", "_selected_action": [own.pk]},
        )
    elif door == "another author":
        data = {"author": make_user().pk, "title": "Own", "body": "x", "category": "design"}
        moderator_client.post(f"/admin/articles/article/{own.pk}/change/", data)
        own.refresh_from_db()
        assert (own.title, own.author) == ("Own", moderator)
        moderator_client.post(f"/articles/trash/{own.pk}/restoration/")
    else:  # which must not make it look like a deletion by the author
        by_admin(moderator_client, own)
        moderator_client.post(f"/articles/trash/{own.pk}/restoration/")

    assert not Article.objects.exists()


def test_moderator_and_peers_restore(
    article: Article, moderator: User, moderator_client: Client
) -> None:
    by_page(moderator_client, article)
    assert f"{article.pk}/restoration/" in moderator_client.get("/articles/trash/").content.decode()
    moderator_client.post(f"/articles/trash/{article.pk}/restoration/")
    assert Article.objects.get() == article

    article.refresh_from_db()
    article.delete(by=moderator)
    peer = make_user()
    peer.user_permissions.set(moderator.user_permissions.all())
    client = Client()
    client.force_login(peer)
    client.post(f"/articles/trash/{article.pk}/restoration/")
    assert Article.objects.get() == article


def test_strangers_restore_nothing(
    reader_client: Client, author: User, article: Article, moderator: User
) -> None:
    for by in (author, moderator):
        article.delete(by=by)
        url = f"/articles/trash/{article.pk}/restoration/"
        assert reader_client.post(url).status_code == HTTPStatus.NOT_FOUND
        assert not Article.objects.exists()
        article.restore()


def test_removal_that_comes_before_the_authors_restoration_wins(
    author: User, article: Article, moderator: User
) -> None:
    article.delete(by=author)
    stale = Article.all_objects.get(pk=article.pk)  # as the author's request has loaded it
    Article.all_objects.take_over_deletion(moderator)

    with pytest.raises(PermissionDenied):
        stale.restore(by=author)

    assert stale.is_removed_by_others
    assert not Article.objects.exists()


def test_deletion_without_a_person_is_not_undone_by_the_author(
    author: User, article: Article
) -> None:
    """A way to delete that does not say who fails closed."""
    article.delete()

    with pytest.raises(PermissionDenied):
        article.restore(by=author)


def test_author_of_a_removed_comment_is_told(
    reader: User, reader_client: Client, article: Article, moderator_client: Client
) -> None:
    spam = make_comment(article, reader, body="Buy my pills.")
    moderator_client.post(f"/articles/{article.slug}/comments/{spam.pk}/deletion/")
    make_comment(article, reader, body="Regretted.").delete(by=reader)
    url = f"/articles/{article.slug}/comments/"

    own = reader_client.get(url).content.decode()
    assert own.count("A moderator removed your comment") == 1
    others = [browser.get(url).content.decode() for browser in (moderator_client, Client())]
    for page in (own, *others):
        assert "Buy my pills." not in page
        assert "Regretted." not in page
    assert not any("A moderator" in page for page in others)
