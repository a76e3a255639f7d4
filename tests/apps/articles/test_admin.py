import pytest
from django.test import Client

from apps.articles.models import Comment
from tests.factories import make_article, make_comment

pytestmark = pytest.mark.django_db
URL = "/admin/articles/article/"


def titles(admin: Client, query: str = "") -> set[str]:
    return {article.title for article in admin.get(URL + query).context["cl"].result_list}


@pytest.fixture(autouse=True)
def articles() -> None:
    make_article(title="Kept")
    make_article(title="Deleted").delete()


def test_filter_shows_deleted_rows(admin_client: Client) -> None:
    assert titles(admin_client) == {"Kept"}
    assert titles(admin_client, "?deleted=yes") == {"Deleted"}
    assert titles(admin_client, "?deleted=all") == {"Kept", "Deleted"}


def test_action_restores_deleted_rows(admin_client: Client) -> None:
    (deleted,) = admin_client.get(f"{URL}?deleted=yes").context["cl"].result_list

    response = admin_client.post(
        f"{URL}?deleted=yes",
        {"action": "restore_selected", "_selected_action": [deleted.pk]},
        follow=True,
    )

    assert "Restored 1 article." in response.content.decode()
    assert titles(admin_client) == {"Kept", "Deleted"}


def test_deletion_in_the_admin_is_soft(admin_client: Client) -> None:
    (kept,) = admin_client.get(URL).context["cl"].result_list

    admin_client.post(f"{URL}{kept.pk}/delete/", {"post": "yes"})

    assert titles(admin_client) == set()
    assert titles(admin_client, "?deleted=yes") == {"Kept", "Deleted"}


def test_deleted_row_can_be_opened(admin_client: Client) -> None:
    (deleted,) = admin_client.get(f"{URL}?deleted=yes").context["cl"].result_list

    assert admin_client.get(f"{URL}{deleted.pk}/change/").status_code == 200


def test_comments_can_be_moderated(admin_client: Client) -> None:
    comment = make_comment(make_article(), body="Buy my pills.")
    url = "/admin/articles/comment/"
    assert "Buy my pills." in admin_client.get(f"{url}?q=pills").content.decode()

    admin_client.post(f"{url}{comment.pk}/delete/", {"post": "yes"})

    assert not Comment.objects.exists()
    assert "Buy my pills." in admin_client.get(f"{url}?deleted=yes").content.decode()
