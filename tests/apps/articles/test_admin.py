import pytest
from django.test import Client

from apps.articles.models.comment import Comment
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db
URL = "/admin/articles/article/"


def titles(admin: Client, query: str = "") -> set[str]:
    return {article.title for article in admin.get(URL + query).context["cl"].result_list}


@pytest.fixture(autouse=True)
def articles() -> None:
    make_article(title="Live")
    make_article(title="Gone").delete()


def test_deleted_rows_are_shown_on_demand(admin_client: Client) -> None:
    assert titles(admin_client) == {"Live"}
    assert titles(admin_client, "?deleted=yes") == {"Gone"}
    assert titles(admin_client, "?deleted=all") == {"Live", "Gone"}


def test_the_restore_action_brings_them_back(admin_client: Client) -> None:
    (gone,) = admin_client.get(f"{URL}?deleted=yes").context["cl"].result_list

    response = admin_client.post(
        f"{URL}?deleted=yes",
        {"action": "restore_selected", "_selected_action": [gone.pk]},
        follow=True,
    )

    assert "Restored: 1." in response.content.decode()
    assert titles(admin_client) == {"Live", "Gone"}


def test_deleting_here_can_be_undone(admin_client: Client) -> None:
    (live,) = admin_client.get(URL).context["cl"].result_list

    admin_client.post(f"{URL}{live.pk}/delete/", {"post": "yes"})

    assert titles(admin_client) == set()
    assert titles(admin_client, "?deleted=yes") == {"Live", "Gone"}


def test_a_deleted_row_can_be_opened(admin_client: Client) -> None:
    (gone,) = admin_client.get(f"{URL}?deleted=yes").context["cl"].result_list

    assert admin_client.get(f"{URL}{gone.pk}/change/").status_code == 200


def test_comments_can_be_moderated(admin_client: Client) -> None:
    comment = Comment(article=make_article(), author=make_user(), body="Buy my pills.")
    comment.save()
    url = "/admin/articles/comment/"
    assert "Buy my pills." in admin_client.get(f"{url}?q=pills").content.decode()

    admin_client.post(f"{url}{comment.pk}/delete/", {"post": "yes"})

    assert not Comment.objects.exists()
    assert "Buy my pills." in admin_client.get(f"{url}?deleted=yes").content.decode()
