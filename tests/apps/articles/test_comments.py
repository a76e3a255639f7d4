"""Comments, notifications, and what each shows to whom."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article, CommentNotification
from apps.articles.models.comment import Comment
from apps.articles.views import comments
from apps.users.models import User
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/vnd.turbo-stream.html", "X-Turbo-Request-Id": "1"}


@pytest.fixture
def author() -> User:
    return make_user(display_name="Ada")


@pytest.fixture
def reader() -> User:
    return make_user(display_name="Bob")


@pytest.fixture
def article(author: User) -> Article:
    return make_article(author)


@pytest.fixture
def reader_client(client: Client, reader: User) -> Client:
    client.force_login(reader)
    return client


def comment_on(article: Article, author: User, body: str = "Well cut.") -> Comment:
    comment = Comment(article=article, author=author, body=body)
    comment.save()
    return comment


class TestComments:
    def test_anybody_reads_them_in_two_queries(
        self,
        client: Client,
        article: Article,
        reader: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(3):
            comment_on(article, reader, f"Comment {number} <script>")

        with django_assert_num_queries(2):
            text = client.get("/articles/on-joints/comments/").content.decode()

        assert text.index("Comment 0 &lt;script&gt;") < text.index("Comment 2")
        assert "Sign in" in text

    def test_older_ones_are_a_link_away(
        self, client: Client, article: Article, reader: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comments, "PAGE_SIZE", 2)
        path = "/articles/on-joints/comments/"
        for number in range(3):
            comment_on(article, reader, f"Comment {number}")

        latest = client.get(path).content.decode()
        assert "Comment 0" not in latest
        assert latest.index("Comment 1") < latest.index("Comment 2")
        (link,) = re.findall(r'href="(/articles/on-joints/comments/\?before=[^"]+)"', latest)
        older = client.get(link).content.decode()
        assert "Comment 0" in older
        assert "Comment 1" not in older
        assert "?before=" not in older
        # A new one belongs to the latest.
        target = f'id="comments_article_{article.pk}"'
        assert (target in latest, target in older) == (True, False)

        for before in ("x", "\x00", "1" * 40):
            response = client.get(path, {"before": before})
            assert response.status_code == HTTPStatus.NOT_FOUND

    def test_a_frame_gets_no_layout(self, client: Client, article: Article) -> None:
        frame = f"discussion_article_{article.pk}"

        response = client.get("/articles/on-joints/comments/", headers={"Turbo-Frame": frame})

        text = response.content.decode()
        assert f'<turbo-frame id="{frame}"' in text
        assert "<header" not in text
        assert response["Vary"].startswith("Turbo-Frame")

    def test_to_a_browser_with_turbo_a_comment_is_a_stream(
        self, reader_client: Client, article: Article, reader: User
    ) -> None:
        response = reader_client.post(
            "/articles/on-joints/comments/", {"body": "Well cut."}, headers=STREAM
        )

        comment = Comment.objects.get()
        assert comment.author == reader
        text = response.content.decode()
        assert f'<turbo-stream action="append" target="comments_article_{article.pk}">' in text
        assert f'id="comment_{comment.pk}"' in text

    def test_to_others_it_is_a_redirect(self, reader_client: Client, article: Article) -> None:
        response = reader_client.post("/articles/on-joints/comments/", {"body": "Well cut."})

        assert response.status_code == HTTPStatus.SEE_OTHER
        assert response["Location"] == article.get_absolute_url()

    @pytest.mark.parametrize("body", ["", "   ", "x" * 2001])
    def test_an_empty_or_endless_one_is_unprocessable(
        self, reader_client: Client, article: Article, body: str
    ) -> None:
        response = reader_client.post(
            f"/articles/{article.slug}/comments/", {"body": body}, headers=STREAM
        )

        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "errorlist" in response.content.decode()
        assert not Comment.objects.exists()

    def test_a_flood_is_held_up_for_a_minute(
        self, reader_client: Client, article: Article, author: User, reader: User
    ) -> None:
        path = f"/articles/{article.slug}/comments/"
        for number in range(10):
            comment_on(article, reader, f"Comment {number}")
        comment_on(article, reader).hard_delete()
        Comment.objects.filter(body="Comment 0").delete()  # which does not help

        response = reader_client.post(path, {"body": "And another."}, headers=STREAM)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "Please wait a minute." in response.content.decode()
        # What is there may be mended still, and others may write.
        comment = Comment.objects.filter(author=reader).latest("id")
        response = reader_client.post(f"{path}{comment.pk}/edit/", {"body": "Mended."})
        assert response.status_code == HTTPStatus.SEE_OTHER
        reader_client.force_login(author)
        response = reader_client.post(path, {"body": "Enough."}, headers=STREAM)
        assert response.status_code == HTTPStatus.OK

        Comment.all_objects.update(created_at=timezone.now() - timedelta(minutes=1))
        reader_client.force_login(reader)
        response = reader_client.post(path, {"body": "And another."}, headers=STREAM)
        assert response.status_code == HTTPStatus.OK

    def test_who_is_not_signed_in_is_sent_to(self, client: Client, article: Article) -> None:
        response = client.post(f"/articles/{article.slug}/comments/", {"body": "Well cut."})

        assert response["Location"] == "/accounts/login/?next=/articles/on-joints/"
        assert not Comment.objects.exists()

    def test_a_draft_has_none_for_others(
        self, reader_client: Client, author: User, reader: User
    ) -> None:
        draft = make_article(author, published=False)
        comment = comment_on(draft, reader)

        for path in ("", f"{comment.pk}/", f"{comment.pk}/edit/"):
            response = reader_client.get(f"/articles/on-joints/comments/{path}")
            assert response.status_code == HTTPStatus.NOT_FOUND
        response = reader_client.post("/articles/on-joints/comments/", {"body": "Well cut."})
        assert response.status_code == HTTPStatus.NOT_FOUND

    def test_edit(self, reader_client: Client, article: Article, reader: User) -> None:
        comment = comment_on(article, reader)
        path = f"/articles/on-joints/comments/{comment.pk}/"
        frame = {"Turbo-Frame": f"comment_{comment.pk}"}
        assert "Save comment" in reader_client.get(f"{path}edit/", headers=frame).content.decode()

        response = reader_client.post(f"{path}edit/", {"body": "Very well cut."}, headers=frame)

        assert response["Location"] == path
        assert "Very well cut." in reader_client.get(path).content.decode()

    def test_delete(self, reader_client: Client, article: Article, reader: User) -> None:
        comment = comment_on(article, reader)

        response = reader_client.post(
            f"/articles/on-joints/comments/{comment.pk}/deletion/", headers=STREAM
        )

        text = response.content.decode()
        assert f'<turbo-stream action="remove" target="comment_{comment.pk}">' in text
        assert "Your comment is deleted." in text
        assert not Comment.objects.exists()

    @pytest.mark.parametrize("change", ["edit", "deletion"])
    def test_those_of_others_do_not_exist_for_changes(
        self, reader_client: Client, article: Article, author: User, change: str
    ) -> None:
        comment = comment_on(article, author)

        response = reader_client.post(
            f"/articles/on-joints/comments/{comment.pk}/{change}/", {"body": "No."}
        )

        assert response.status_code == HTTPStatus.NOT_FOUND
        comment.refresh_from_db()
        assert comment.body == "Well cut."
        assert not comment.is_deleted

    def test_they_go_and_come_back_with_their_article(self, article: Article, reader: User) -> None:
        comment_on(article, reader)

        article.delete()
        assert not Comment.objects.exists()

        article.restore()
        assert Comment.objects.exists()


class TestNotifications:
    def test_the_author_is_told_of_others_comments_only(
        self, article: Article, author: User, reader: User
    ) -> None:
        comment_on(article, author)
        comment_on(article, reader)

        notification = CommentNotification.objects.get()
        assert notification.recipient == author
        assert str(notification) == "Bob commented on “On joints”"

    def test_the_number_of_unread_ones_is_in_the_navigation(
        self, client: Client, article: Article, author: User, reader: User
    ) -> None:
        comment_on(article, reader)
        comment_on(article, reader).delete()
        client.force_login(author)

        text = client.get("/people/me/notifications/").content.decode()

        assert "Bob commented on “On joints”" in text
        assert '<span class="badge badge-primary badge-xs">1</span>' in text

    def test_reading_marks_them(
        self, client: Client, article: Article, author: User, reader: User
    ) -> None:
        comment_on(article, reader)
        client.force_login(author)

        response = client.post("/people/me/notifications/reading/", follow=True)

        assert not CommentNotification.objects.unread().exists()
        assert "badge-primary" not in response.content.decode()

    def test_they_need_a_login(self, client: Client) -> None:
        response = client.get("/people/me/notifications/")

        assert response["Location"].startswith("/accounts/login/")

    def test_a_link_marks_nothing(self, reader_client: Client) -> None:
        response = reader_client.get("/people/me/notifications/reading/")

        assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
