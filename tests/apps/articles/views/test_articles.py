import re
from http import HTTPStatus

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article
from apps.users.models import User
from dovetail.search.engine import engine_for
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

FORM = {"title": "A draft", "summary": "", "category": "design", "body": "Words."}


class TestReading:
    def test_home_shows_the_latest_articles(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        author = make_user()
        for number in range(8):
            make_article(author if number else None, title=f"Article {number}")
        make_article(title="Hidden draft", published=False)

        with django_assert_num_queries(3):
            text = client.get("/").content.decode()

        assert "8 articles by 2 authors so far" in text
        assert re.findall(r">(Article \d)</a>", text) == [f"Article {n}" for n in range(7, 1, -1)]
        assert "Hidden draft" not in text

    def test_list_takes_a_constant_number_of_queries(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        make_article()
        client.get("/articles/")  # detects the search engine, once per process
        for _ in range(12):
            make_article()

        # The count, two facets (on ParadeDB each within a savepoint), the names of one, the rows.
        facet = 3 if engine_for(connection, Article).name == "paradedb" else 1
        with django_assert_num_queries(1 + 2 * facet + 1 + 1):
            response = client.get("/articles/")
        assert len(response.context["page_obj"]) == 12
        assert len(client.get("/articles/?page=2").context["page_obj"]) == 1

    def test_newest_article_comes_first(self, client: Client) -> None:
        old = make_article(title="Old", published=False)
        new = make_article(title="New one")
        old.publish()

        assert list(client.get("/articles/").context["page_obj"]) == [old, new]

    @pytest.mark.parametrize("number", ["0", "2", "x", "-1", "99999999999999999999"])
    def test_missing_page_of_the_list_is_not_found(self, client: Client, number: str) -> None:
        assert client.get(f"/articles/?page={number}").status_code == HTTPStatus.NOT_FOUND

    def test_article_takes_one_query_and_is_escaped(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        article = make_article(body="First.\n\nSecond. <script>alert(1)</script>")

        with django_assert_num_queries(1):
            text = client.get(article.get_absolute_url()).content.decode()

        assert "<p>First.</p>" in text
        assert "<script>alert" not in text

    def test_slug_may_be_in_any_script(self, client: Client) -> None:
        article = make_article(title="木の継手")

        assert client.get(article.get_absolute_url()).status_code == HTTPStatus.OK

    def test_draft_is_found_only_by_its_author(self, client: Client, author: User) -> None:
        draft = make_article(author, published=False)
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.NOT_FOUND

        client.force_login(make_user())
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.NOT_FOUND

        client.force_login(author)
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.OK


class TestWriting:
    def test_create_publish_and_unpublish(self, author_client: Client, author: User) -> None:
        response = author_client.post("/articles/new/", FORM)
        article = Article.objects.get()
        assert response.status_code == HTTPStatus.SEE_OTHER
        assert response["Location"] == article.get_absolute_url() == "/articles/a-draft/"
        assert article.author == author
        assert not article.is_published

        author_client.post("/articles/a-draft/publication/")
        article.refresh_from_db()
        assert article.is_published

        author_client.post("/articles/a-draft/unpublication/")
        article.refresh_from_db()
        assert not article.is_published

    def test_incomplete_article_is_unprocessable(self, author_client: Client) -> None:
        response = author_client.post("/articles/new/", FORM | {"title": ""})

        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert not Article.objects.exists()

    def test_edit_keeps_the_slug(self, author_client: Client, author: User) -> None:
        article = make_article(author)

        author_client.post("/articles/on-joints/edit/", FORM)

        article.refresh_from_db()
        assert article.title == "A draft"
        assert article.slug == "on-joints"

    def test_form_can_set_neither_author_nor_status(self, author_client: Client) -> None:
        other = make_user()

        author_client.post("/articles/new/", FORM | {"author": other.pk, "status": "published"})

        article = Article.objects.get()
        assert article.author != other
        assert not article.is_published

    def test_delete_and_restore(self, author_client: Client, author: User) -> None:
        article = make_article(author)
        assert author_client.get("/articles/on-joints/deletion/").status_code == HTTPStatus.OK

        assert author_client.post("/articles/on-joints/deletion/")["Location"] == "/articles/trash/"
        assert author_client.get("/articles/on-joints/").status_code == HTTPStatus.NOT_FOUND
        assert list(author_client.get("/articles/trash/").context["page_obj"]) == [article]

        author_client.post(f"/articles/trash/{article.pk}/restoration/")
        assert author_client.get("/articles/on-joints/").status_code == HTTPStatus.OK

    def test_my_articles_lists_own_articles_with_drafts_first(
        self, author_client: Client, author: User
    ) -> None:
        published = make_article(author)
        draft = make_article(author, published=False)
        make_article()

        assert list(author_client.get("/articles/mine/").context["page_obj"]) == [draft, published]


PRIVATE = ["new/", "mine/", "trash/", "on-joints/edit/", "on-joints/deletion/"]
CHANGES = ["publication", "unpublication", "deletion", "edit"]


@pytest.mark.parametrize("path", PRIVATE)
def test_writing_requires_a_login(client: Client, path: str) -> None:
    make_article()

    response = client.get(f"/articles/{path}")

    assert response["Location"] == f"/accounts/login/?next=/articles/{path}"


@pytest.mark.parametrize("change", CHANGES)
def test_other_peoples_articles_cannot_be_changed(author_client: Client, change: str) -> None:
    article = make_article(make_user())

    assert author_client.post(f"/articles/on-joints/{change}/").status_code == HTTPStatus.NOT_FOUND
    article.refresh_from_db()
    assert article.is_published
    assert not article.is_deleted


def test_other_peoples_articles_cannot_be_restored(author_client: Client) -> None:
    article = make_article(make_user())
    article.delete()

    response = author_client.post(f"/articles/trash/{article.pk}/restoration/")

    assert response.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("change", ["publication", "unpublication"])
def test_get_request_changes_nothing(author_client: Client, author: User, change: str) -> None:
    make_article(author)

    response = author_client.get(f"/articles/on-joints/{change}/")

    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
