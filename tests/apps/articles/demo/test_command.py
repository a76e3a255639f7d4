from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from apps.articles.demo.people import ACCOUNTS, AUTHORS, PASSWORD
from apps.articles.models import Article
from apps.users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def _in_debug(settings: Settings) -> None:
    settings.DEBUG = True


def run_demo() -> str:
    output = StringIO()
    call_command("demo", stdout=output)
    return output.getvalue()


@pytest.mark.usefixtures("_in_debug")
def test_people_and_articles_are_added_once() -> None:
    assert "Added 200 articles." in run_demo()
    people = len(ACCOUNTS) + len(AUTHORS)
    assert User.objects.count() == EmailAddress.objects.count() == people
    assert EmailAddress.objects.filter(verified=True, primary=True).count() == people
    assert Article.objects.count() == 200
    assert Article.objects.values("author").distinct().count() >= 8

    assert "Added 0 articles." in run_demo()
    assert User.objects.count() == people
    assert Article.objects.count() == 200


@pytest.mark.usefixtures("_in_debug")
def test_second_run_keeps_changes_and_adds_what_is_missing() -> None:
    run_demo()
    article = Article.objects.published()[0]
    article.delete()
    User.objects.filter(email="reader@example.com").update(display_name="Someone Else")
    User.objects.get(email=AUTHORS[0].email).delete()

    run_demo()
    assert article.pk not in Article.objects.values_list("pk", flat=True)
    assert User.objects.get(email="reader@example.com").display_name == "Someone Else"
    assert User.objects.filter(email=AUTHORS[0].email).exists()


@pytest.mark.usefixtures("_in_debug")
def test_accounts_have_the_permissions_of_their_roles(client: Client) -> None:
    run_demo()
    admin, editor, reader = (User.objects.get(email=person.email) for person in ACCOUNTS)
    assert admin.is_superuser
    assert editor.has_perm("articles.change_article")
    assert not editor.is_superuser
    assert not reader.has_perm("articles.change_article")
    assert client.login(email=reader.email, password=PASSWORD)


@pytest.mark.usefixtures("_in_debug")
def test_demo_takes_at_most_forty_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(40):
        run_demo()


def test_demo_is_refused_without_debug() -> None:
    with pytest.raises(CommandError, match="runs only with DEBUG on"):
        run_demo()
    assert not User.objects.exists()
