from http import HTTPStatus

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article
from apps.users.models import User
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

FORM = {"title": "A draft", "summary": "", "category": "design", "body": "Words."}
SESSION_AND_USER = 2  # queries of a page that knows who looks at it


@pytest.fixture
def author() -> User:
    return make_user(display_name="Ada")


@pytest.fixture
def author_client(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


class TestReading:
    def test_home_shows_what_is_new(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(8):
            make_article(title=f"Article {number}")
        make_article(title="Hidden draft", published=False)

        with django_assert_num_queries(3):
            response = client.get("/")

        assert response.context["article_count"] == 8
        assert len(response.context["articles"]) == 6
        assert "Hidden draft" not in response.content.decode()

    def test_the_list_takes_the_same_queries_whatever_its_length(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        make_article()
        client.get("/articles/")  # asks the server once what it can search with
        for _ in range(12):
            make_article()

        # How many, two facets (each within a savepoint), the names in one, the rows.
        with django_assert_num_queries(1 + 2 * 3 + 1 + 1):
            response = client.get("/articles/")
        assert len(response.context["page_obj"]) == 12
        assert len(client.get("/articles/?page=2").context["page_obj"]) == 1

    def test_the_newest_comes_first(self, client: Client) -> None:
        old = make_article(title="Old", published=False)
        new = make_article(title="New one")
        old.publish()

        assert list(client.get("/articles/").context["page_obj"]) == [old, new]

    @pytest.mark.parametrize("number", ["0", "2", "x", "-1", "99999999999999999999"])
    def test_a_page_that_is_not_there_is_not_found(self, client: Client, number: str) -> None:
        assert client.get(f"/articles/?page={number}").status_code == HTTPStatus.NOT_FOUND

    def test_an_article(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        article = make_article(body="First.\n\nSecond. <script>alert(1)</script>")

        with django_assert_num_queries(1):
            text = client.get(article.get_absolute_url()).content.decode()

        assert "<p>First.</p>" in text
        assert "<script>alert" not in text

    def test_an_address_in_any_script(self, client: Client) -> None:
        article = make_article(title="木の継手")

        assert client.get(article.get_absolute_url()).status_code == HTTPStatus.OK

    def test_a_draft_of_another_is_not_found(self, client: Client, author: User) -> None:
        draft = make_article(author, published=False)
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.NOT_FOUND

        client.force_login(make_user())
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.NOT_FOUND

        client.force_login(author)
        assert client.get(draft.get_absolute_url()).status_code == HTTPStatus.OK


class TestWriting:
    def test_write_publish_unpublish(self, author_client: Client, author: User) -> None:
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

    def test_an_incomplete_article_is_unprocessable(self, author_client: Client) -> None:
        response = author_client.post("/articles/new/", FORM | {"title": ""})

        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert not Article.objects.exists()

    def test_edit(self, author_client: Client, author: User) -> None:
        article = make_article(author)

        author_client.post("/articles/on-joints/edit/", FORM)

        article.refresh_from_db()
        assert article.title == "A draft"
        assert article.slug == "on-joints"

    def test_the_form_cannot_name_another_author_or_publish(self, author_client: Client) -> None:
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

    def test_my_articles_are_mine_drafts_first(self, author_client: Client, author: User) -> None:
        published = make_article(author)
        draft = make_article(author, published=False)
        make_article()

        assert list(author_client.get("/articles/mine/").context["page_obj"]) == [draft, published]


PRIVATE = ["new/", "mine/", "trash/", "on-joints/edit/", "on-joints/deletion/"]
CHANGES = ["publication", "unpublication", "deletion", "edit"]


@pytest.mark.parametrize("path", PRIVATE)
def test_writing_needs_a_login(client: Client, path: str) -> None:
    make_article()

    response = client.get(f"/articles/{path}")

    assert response["Location"] == f"/accounts/login/?next=/articles/{path}"


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_wrote_does_not_exist_for_changes(author_client: Client, change: str) -> None:
    article = make_article(make_user())

    assert author_client.post(f"/articles/on-joints/{change}/").status_code == HTTPStatus.NOT_FOUND
    article.refresh_from_db()
    assert article.is_published
    assert not article.is_deleted


def test_what_others_deleted_does_not_exist(author_client: Client) -> None:
    article = make_article(make_user())
    article.delete()

    response = author_client.post(f"/articles/trash/{article.pk}/restoration/")

    assert response.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("change", ["publication", "unpublication"])
def test_a_link_changes_nothing(author_client: Client, author: User, change: str) -> None:
    make_article(author)

    response = author_client.get(f"/articles/on-joints/{change}/")

    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
