import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.articles.models import Article, Comment
from apps.articles.views import comments
from apps.users.models import User
from tests.factories import make_article, make_comment

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/vnd.turbo-stream.html", "X-Turbo-Request-Id": "1"}


def test_comments_take_two_queries_and_are_escaped(
    client: Client,
    article: Article,
    reader: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        make_comment(article, reader, f"Comment {number} <script>")

    with django_assert_num_queries(2):
        text = client.get("/articles/on-joints/comments/").content.decode()

    assert text.index("Comment 0 &lt;script&gt;") < text.index("Comment 2")
    assert "Sign in" in text


def test_older_comments_are_linked(
    client: Client, article: Article, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comments, "PAGE_SIZE", 2)
    path = "/articles/on-joints/comments/"
    for number in range(3):
        make_comment(article, reader, f"Comment {number}")

    latest = client.get(path).content.decode()
    assert "Comment 0" not in latest
    assert latest.index("Comment 1") < latest.index("Comment 2")
    (link,) = re.findall(r'href="(/articles/on-joints/comments/\?before=[^"]+)"', latest)
    older = client.get(link).content.decode()
    assert "Comment 0" in older
    assert "Comment 1" not in older
    assert "?before=" not in older
    # New comments are appended to the latest, not to older ones.
    target = f'id="comments_article_{article.pk}"'
    assert (target in latest, target in older) == (True, False)

    for before in ("x", "\x00", "1" * 40):
        response = client.get(path, {"before": before})
        assert response.status_code == HTTPStatus.NOT_FOUND


def test_frame_gets_no_layout(client: Client, article: Article) -> None:
    frame = f"discussion_article_{article.pk}"

    response = client.get("/articles/on-joints/comments/", headers={"Turbo-Frame": frame})

    text = response.content.decode()
    assert f'<turbo-frame id="{frame}"' in text
    assert "<header" not in text
    assert response["Vary"].startswith("Turbo-Frame")


def test_turbo_gets_a_new_comment_as_a_stream(
    reader_client: Client, article: Article, reader: User
) -> None:
    response = reader_client.post(
        "/articles/on-joints/comments/", {"body": "Well cut."}, headers=STREAM
    )

    comment = Comment.objects.get()
    assert comment.author == reader
    text = response.content.decode()
    assert f'<turbo-stream action="append" target="comments_article_{article.pk}">' in text
    assert f'id="comment_{comment.pk}"' in text


def test_browser_without_turbo_is_redirected_after_a_comment(
    reader_client: Client, article: Article
) -> None:
    response = reader_client.post("/articles/on-joints/comments/", {"body": "Well cut."})

    assert response.status_code == HTTPStatus.SEE_OTHER
    assert response["Location"] == article.get_absolute_url()


@pytest.mark.parametrize("body", ["", "   ", "x" * 2001])
def test_empty_or_too_long_comment_is_unprocessable(
    reader_client: Client, article: Article, body: str
) -> None:
    response = reader_client.post(
        f"/articles/{article.slug}/comments/", {"body": body}, headers=STREAM
    )

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "errorlist" in response.content.decode()
    assert not Comment.objects.exists()


def test_author_of_many_comments_must_wait_a_minute(
    reader_client: Client, article: Article, author: User, reader: User
) -> None:
    path = f"/articles/{article.slug}/comments/"
    for number in range(10):
        make_comment(article, reader, f"Comment {number}")
    make_comment(article, reader).hard_delete()
    Comment.objects.filter(body="Comment 0").delete()  # a deleted comment still counts

    response = reader_client.post(path, {"body": "And another."}, headers=STREAM)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Please wait a minute." in response.content.decode()
    # Editing is still allowed, and so are comments by other people.
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


def test_commenting_requires_a_login(client: Client, article: Article) -> None:
    response = client.post(f"/articles/{article.slug}/comments/", {"body": "Well cut."})

    assert response["Location"] == "/accounts/login/?next=/articles/on-joints/"
    assert not Comment.objects.exists()


def test_comments_of_a_draft_are_not_found(
    reader_client: Client, author: User, reader: User
) -> None:
    draft = make_article(author, published=False)
    comment = make_comment(draft, reader)

    for path in ("", f"{comment.pk}/", f"{comment.pk}/edit/"):
        response = reader_client.get(f"/articles/on-joints/comments/{path}")
        assert response.status_code == HTTPStatus.NOT_FOUND
    response = reader_client.post("/articles/on-joints/comments/", {"body": "Well cut."})
    assert response.status_code == HTTPStatus.NOT_FOUND


def test_edit_replaces_the_comment_in_its_frame(
    reader_client: Client, article: Article, reader: User
) -> None:
    comment = make_comment(article, reader)
    path = f"/articles/on-joints/comments/{comment.pk}/"
    frame = {"Turbo-Frame": f"comment_{comment.pk}"}
    assert "Save comment" in reader_client.get(f"{path}edit/", headers=frame).content.decode()

    response = reader_client.post(f"{path}edit/", {"body": "Very well cut."}, headers=frame)

    assert response["Location"] == path
    assert "Very well cut." in reader_client.get(path).content.decode()


def test_deletion_removes_the_comment_from_the_page(
    reader_client: Client, article: Article, reader: User
) -> None:
    comment = make_comment(article, reader)

    response = reader_client.post(
        f"/articles/on-joints/comments/{comment.pk}/deletion/", headers=STREAM
    )

    text = response.content.decode()
    assert f'<turbo-stream action="remove" target="comment_{comment.pk}">' in text
    assert "Comment deleted." in text
    assert not Comment.objects.exists()


@pytest.mark.parametrize("change", ["edit", "deletion"])
def test_other_peoples_comments_cannot_be_changed(
    reader_client: Client, article: Article, author: User, change: str
) -> None:
    comment = make_comment(article, author)

    response = reader_client.post(
        f"/articles/on-joints/comments/{comment.pk}/{change}/", {"body": "No."}
    )

    assert response.status_code == HTTPStatus.NOT_FOUND
    comment.refresh_from_db()
    assert comment.body == "Well cut."
    assert not comment.is_deleted
