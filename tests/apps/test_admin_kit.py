"""What all admin pages share: bulk deletion, autocomplete, and unique values taken meanwhile."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.articles.models import Article, Comment, CommentNotification
from apps.users.models import User
from dovetail.models.signals import rows_changed
from tests.dovetail.models.test_conflicts import while_another_commits
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db


def choices(admin: Client, app: str, model: str, field: str, term: str = "") -> list[str]:
    """Return what the admin offers for a foreign key."""
    query = {"app_label": app, "model_name": model, "field_name": field, "term": term}
    results = admin.get("/admin/autocomplete/", query).json()["results"]
    return [result["text"] for result in results]


@pytest.mark.parametrize("term", ["", "kept"])
def test_autocomplete_offers_no_deleted_rows(admin_client: Client, term: str) -> None:
    make_article(title="Kept")
    make_article(title="Kept no more").delete()

    assert choices(admin_client, "articles", "comment", "article", term) == ["Kept"]


def test_autocomplete_offers_no_deleted_accounts(admin_client: Client) -> None:
    make_user("kept@example.org")
    gone = make_user("gone@example.org")
    gone.request_deletion()

    found = choices(admin_client, "articles", "article", "author")

    assert "kept" in found
    assert "gone" not in found


def test_autocomplete_is_ordered(admin_client: Client) -> None:
    """Without an order, pages of results repeat and skip rows."""
    articles = [make_article(title=f"Article {number}") for number in range(5)]
    Article.objects.filter(pk=articles[2].pk).update(summary="moved to the end of the table")

    found = choices(admin_client, "articles", "comment", "article")

    assert found == [str(article) for article in Article.objects.order_by("-id")]


def test_deleted_rows_stay_in_the_list(admin_client: Client) -> None:
    make_article(title="Gone").delete()

    assert "Gone" in admin_client.get("/admin/articles/article/?deleted=yes").content.decode()


@pytest.mark.parametrize(("url", "model"), [("article", Article), ("comment", Comment)])
def test_deletion_of_selected_rows_is_soft_and_tells_open_pages(
    admin_client: Client, url: str, model: Any
) -> None:
    comments = [make_comment(make_article()) for _ in range(2)]
    pks = [comment.pk if model is Comment else comment.article_id for comment in comments]
    told: list[Any] = []

    def record(pks: list[Any], **_: Any) -> None:
        told.extend(pks)

    rows_changed.connect(record, sender=model)
    try:
        admin_client.post(
            f"/admin/articles/{url}/",
            {"action": "delete_selected", "_selected_action": pks, "post": "yes"},
        )
    finally:
        rows_changed.disconnect(record, sender=model)

    assert set(told) == set(pks)
    assert not model.objects.exists()
    assert model.all_objects.count() == 2
    assert not CommentNotification.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_address_taken_while_the_form_is_saved_is_an_error_of_the_form(
    admin_client: Client,
) -> None:
    """Check, then write: the admin's forms check for equal values, too."""
    fields = {"email": "ada@example.org", "usable_password": "false"}

    response = while_another_commits(
        lambda: make_user("ada@example.org"),
        lambda: admin_client.post("/admin/users/user/add/", fields),
    )

    assert "already exists" in response.content.decode()
    assert User.objects.filter(email="ada@example.org").count() == 1


@pytest.mark.django_db(transaction=True)
def test_name_of_a_group_taken_while_the_form_is_saved_is_an_error_of_the_form(
    admin_client: Client,
) -> None:
    admin_client.post("/accounts/reauthenticate/", {"password": "password"})

    response = while_another_commits(
        lambda: Group.objects.create(name="Editors"),
        lambda: admin_client.post("/admin/auth/group/add/", {"name": "Editors"}),
    )

    assert "already exists" in response.content.decode()
    assert Group.objects.filter(name="Editors").count() == 1
