"""Kind: a lost update. Two people, or two tabs, open the same form, and the second save wins."""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from django.test import Client

from apps.articles.forms import CommentForm
from apps.articles.models import Comment
from apps.users.models import User
from tests.factories import make_article, make_comment, make_user

Form = tuple[str, models.Model, str]  # URL, row, and the text field that is changed
PLACES: dict[str, Callable[[User], Form]] = {}


def place(make: Callable[[User], Form]) -> Callable[[User], Form]:
    PLACES[make.__name__] = make
    return make


@place
def article(user: User) -> Form:
    row = make_article(user)
    return f"{row.get_absolute_url()}edit/", row, "body"


@place
def comment(user: User) -> Form:
    row = make_comment(make_article(), user)
    return f"/articles/{row.article.slug}/comments/{row.pk}/edit/", row, "body"


@place
def profile(user: User) -> Form:
    return "/people/me/edit/", user, "biography"


@place
def article_in_the_admin(user: User) -> Form:
    row = make_article(user)
    return f"/admin/articles/article/{row.pk}/change/", row, "body"


@place
def comment_in_the_admin(user: User) -> Form:
    row = make_comment(make_article(), user)
    return f"/admin/articles/comment/{row.pk}/change/", row, "body"


@place
def user_in_the_admin(user: User) -> Form:
    del user
    row = make_user(display_name="Ada", biography="Cuts joints.")
    return f"/admin/users/user/{row.pk}/change/", row, "biography"


def filled_in(client: Client, url: str) -> dict[str, Any]:
    """Open a page, and return what its form would send."""
    context = client.get(url).context
    form = context["adminform"].form if "adminform" in context else context["form"]
    data = {}
    for field in form:
        value = field.value()
        if field.name in {"cover", "avatar", "password"} or value in (None, False):
            continue
        if hasattr(value, "isoformat"):  # the admin's date and time are two fields
            continue
        data[field.html_name] = value
    return data


@pytest.fixture
def editor(client: Client) -> User:
    user: User = User.objects.create_superuser("editor@example.org", "secret", biography="Old.")
    client.force_login(user)
    return user


@pytest.mark.django_db
@pytest.mark.parametrize("name", PLACES)
def test_second_of_two_open_forms_does_not_overwrite_the_first(
    client: Client, editor: User, name: str
) -> None:
    """Kind: lost update, in each update view. Both texts are shown; saving again wins."""
    url, row, field = PLACES[name](editor)
    first, second = filled_in(client, url), filled_in(client, url)
    rows = type(row)._base_manager.filter(pk=row.pk)

    assert client.post(url, first | {field: "From the first tab <b>."}).status_code in {302, 303}
    refused = client.post(url, second | {field: "From the second tab."})

    page = refused.content.decode()
    assert refused.status_code == 409
    assert rows.values_list(field, flat=True).get() == "From the first tab <b>."
    assert "From the first tab &lt;b&gt;." in page
    assert "From the second tab." in page
    assert "changed while you were editing" in page

    version = re.search(r'name="version" value="(\w+)"', page)
    assert version
    again = second | {field: "From the second tab.", "version": version[1]}
    assert client.post(url, again).status_code in {302, 303}
    assert rows.values_list(field, flat=True).get() == "From the second tab."


@pytest.mark.django_db
@pytest.mark.parametrize("name", PLACES)
def test_same_form_can_be_saved_twice(client: Client, editor: User, name: str) -> None:
    """Kind: a retry is not a conflict. The answer to the first attempt may have been lost."""
    url, _, field = PLACES[name](editor)
    sent = filled_in(client, url) | {field: "Once."}

    assert client.post(url, sent).status_code in {302, 303}
    assert client.post(url, sent).status_code in {302, 303}


@pytest.mark.django_db
def test_changes_of_other_fields_are_no_conflict_and_stay(client: Client, editor: User) -> None:
    """Kind: saving a whole row. What the form does not edit keeps the value of the meantime."""
    row = make_article(editor, published=False)
    url = f"{row.get_absolute_url()}edit/"
    sent = filled_in(client, url)
    row.publish()

    assert client.post(url, sent | {"body": "Newer."}).status_code in {302, 303}
    row.refresh_from_db()
    assert (row.body, row.is_published) == ("Newer.", True)


@pytest.mark.django_db
def test_relations_to_many_are_compared(client: Client, editor: User) -> None:
    """Kind: lost update of a field that is not a column."""
    joiners = Group.objects.create(name="joiners")
    url, row, _ = PLACES["user_in_the_admin"](editor)
    sent = filled_in(client, url)
    assert isinstance(row, User)
    row.groups.add(joiners)

    refused = client.post(url, sent)

    assert refused.status_code == 409
    assert "Stored now: <q>joiners</q>" in refused.content.decode()
    assert list(row.groups.all()) == [joiners]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["article", "comment", "profile", "article_in_the_admin"])
def test_comparison_and_save_cannot_be_parted(client: Client, editor: User, name: str) -> None:
    """Kind: check, then write. The change commits after the other request has loaded the row."""
    url, row, field = PLACES[name](editor)
    sent = filled_in(client, url) | {field: "Second."}
    statuses: list[int] = []

    def save() -> None:
        try:
            statuses.append(client.post(url, sent).status_code)
        finally:
            connection.close()

    second = threading.Thread(target=save)
    with transaction.atomic():
        type(row)._base_manager.filter(pk=row.pk).update(**{field: "First."})
        second.start()
        wait_for_a_blocked_query()
    second.join(30)

    assert statuses == [409]
    assert type(row)._base_manager.values_list(field, flat=True).get(pk=row.pk) == "First."


def wait_for_a_blocked_query() -> None:
    deadline = time.monotonic() + 30
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            # Within a transaction, PostgreSQL shows the activity of its start.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone() != (0,):
                return
    raise AssertionError("The second request did not wait for the row")


@pytest.mark.django_db
def test_deletion_meanwhile_is_reported_on_the_form(editor: User) -> None:
    """Kind: the row is gone when its form is saved; the form must not bring it back."""
    comment = make_comment(make_article(), editor)
    form = CommentForm({"body": "Half an hour of work."}, instance=comment)
    Comment.all_objects.filter(pk=comment.pk).hard_delete()

    assert not form.is_valid()
    assert form.is_conflict
    assert "deleted while you were editing" in str(form.non_field_errors())
    assert "Half an hour of work." in str(form)
