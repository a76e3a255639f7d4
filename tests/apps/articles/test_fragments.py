"""Parts of the home page and the list of articles: kept until what they show changes."""

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from pytest_django.fixtures import Settings

from apps.articles.models import Article, Category, Status
from apps.users.models import User
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = ["/", "/articles/", "/articles/?category=design", "/articles/?category="]


def queries(client: Client, url: str, language: str = "en") -> int:
    with CaptureQueriesContext(connection) as queries:
        client.get(url, headers={"accept-language": language})
    return len(queries)


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def frame(client: Client, url: str) -> str:
    return text(client, url).partition("<turbo-frame")[2]


@pytest.mark.parametrize("url", KEPT)
def test_visitors_of_a_kept_page_cause_no_query(client: Client, url: str) -> None:
    make_article(category=Category.DESIGN)

    assert queries(client, url) > 0
    assert queries(client, url) == 0


@pytest.mark.parametrize("url", KEPT)
def test_every_change_of_an_article_is_shown(client: Client, url: str) -> None:
    article = make_article(title="The first title", category=Category.DESIGN)
    assert "The first title" in text(client, url)

    article.title = "The second title"
    article.save()
    assert "The second title" in text(client, url)
    article.unpublish()
    assert "The second title" not in text(client, url)
    article.publish()
    assert "The second title" in text(client, url)
    type(article).objects.filter(pk=article.pk).update(title="The third title")
    assert "The third title" in text(client, url)
    article.delete()
    assert "The third title" not in text(client, url)


@pytest.mark.parametrize("url", [*KEPT, "/articles/the-title/"])
@pytest.mark.parametrize("is_bulk", [False, True])
def test_withdrawn_article_is_gone_though_nothing_tells_that_it_was_public(
    client: Client, url: str, *, is_bulk: bool
) -> None:
    """Kind: what is kept expires by the state of a row after its change."""
    article = make_article(title="The title", category=Category.DESIGN)
    assert "The title" in text(client, url)

    rows = Article.objects.filter(pk=article.pk)
    if is_bulk:
        rows.update(status=Status.DRAFT, published_at=None)
    else:
        stored = rows.get()
        stored.status, stored.published_at = Status.DRAFT, None
        stored.save()

    assert "The title" not in text(client, url)


@pytest.mark.parametrize("url", KEPT)
def test_every_change_of_an_author_is_shown(client: Client, url: str) -> None:
    """Kind: what is kept shows rows of other models, too."""
    author = make_user(display_name="Ada Lovelace")
    make_article(author, category=Category.DESIGN)
    assert "Ada Lovelace" in text(client, url)

    author.display_name = "Ada King"
    author.save()
    assert "Ada King" in text(client, url)
    User.objects.filter(pk=author.pk).update(display_name="Ada Byron")
    assert "Ada Byron" in text(client, url)
    author.display_name = "Ada Noel"
    author.save(update_fields=["display_name"])
    assert "Ada Noel" in text(client, url)


def test_signing_up_and_in_changes_nothing(client: Client) -> None:
    """Otherwise, nothing would be kept on a busy site."""
    author = make_user()
    make_article(author)
    client.get("/articles/")

    make_user()
    Client().force_login(author)

    assert queries(client, "/articles/") == 0


def test_home_page_of_visitors_is_not_that_of_people(client: Client) -> None:
    person = Client()
    person.force_login(make_user())

    for _ in range(2):
        assert "Create your account" in text(client, "/")
        assert "Create your account" not in text(person, "/")
        assert "Write an article" in text(person, "/")


def test_uncommitted_changes_are_shown_to_their_transaction_alone(client: Client) -> None:
    make_article(title="A mortise")
    client.get("/articles/")

    with transaction.atomic():
        make_article(title="A tenon")
        assert "A tenon" in text(client, "/articles/")
        transaction.set_rollback(True)

    assert "A tenon" not in text(client, "/articles/")


@pytest.mark.parametrize(
    "query",
    ["q=mortise", "order=date", "author={author}", "page=2", "campaign=spring", "q=" + "x" * 5000],
)
def test_other_searches_are_not_kept(client: Client, query: str) -> None:
    """Kind: visitors who fill the cache, and links that keep what another visitor has chosen."""
    author = make_user()
    for _ in range(13):
        make_article(author, title="A mortise")
    url = f"/articles/?{query.format(author=author.pk)}"
    plain = frame(client, "/articles/")

    for _ in range(2):
        assert queries(client, url) > 0
    assert frame(client, "/articles/") == plain


def test_categories_are_kept_apart(client: Client) -> None:
    make_article(title="A mortise", category=Category.DESIGN)
    make_article(title="A tenon", category=Category.CULTURE)

    for category, title, other in (("design", "mortise", "tenon"), ("culture", "tenon", "mortise")):
        for _ in range(2):
            page = text(client, f"/articles/?category={category}")
            assert title in page
            assert other not in page


def test_languages_are_kept_apart(client: Client, settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    make_article()

    with override("en"):  # the middleware leaves the language of the last request behind
        for url in ("/", "/articles/"):
            for language in ("en", "de"):
                assert queries(client, url, language) > 0
                assert queries(client, url, language) == 0


def test_signed_in_people_share_them(client: Client) -> None:
    make_article()
    text(client, "/articles/")
    client.force_login(make_user(display_name="Ada Lovelace"))

    with CaptureQueriesContext(connection) as found:
        page = text(client, "/articles/")

    assert "Ada Lovelace" in page
    assert not [query for query in found if 'FROM "articles_article"' in query["sql"]]
