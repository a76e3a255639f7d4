"""Input is checked on the server, shown as text, and kept out of URLs (ASVS 2.2, 3.2.2, 14.2.1)."""

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from tests.config.test_hostile_text import UUID, all_urls
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db

MARKUP = "<img src=x onerror=alert(1)>\"'</textarea></title></script><script>alert(2)</script>"
ARTICLE = {"title": "On joints", "body": "Wood holds wood.", "category": "design"}
# What turns text into elements. (failed_forms.ts parses a page of this site, to look at it.)
SINKS = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\("


@pytest.fixture(autouse=True)
def _allow_any_queries(settings: Settings) -> None:
    settings.ZEAL_RAISE = False  # a query too many is not what is looked for
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ""),
        ("title", "x" * 1000),
        ("summary", "x" * 10_000),
        ("category", "no-such-category"),
        ("body", ""),
        ("body", "x" * 1_000_000),
    ],
)
def test_rules_hold_without_the_browser(client: Client, name: str, value: str) -> None:
    client.force_login(make_user())

    response = client.post("/articles/new/", ARTICLE | {name: value})

    assert response.status_code == 422
    assert not Article.objects.exists()


def test_text_of_people_is_never_markup(client: Client) -> None:
    person = make_user("ada@example.org", pk=UUID, display_name=MARKUP[:80], biography=MARKUP)
    person.is_staff = person.is_superuser = True
    person.save()
    article = make_article(person, title="text", summary=MARKUP, body=MARKUP)
    make_comment(article, person, body=MARKUP)
    Article.objects.update(title=MARKUP)
    client.force_login(person)

    shown = 0
    for url in all_urls():
        answer = client.get(url, {"q": MARKUP}) if "mailbox" not in url else HttpResponse()
        # These are text, as long as browsers do not guess.
        if any(kind in answer["Content-Type"] for kind in ("json", "csv")):
            assert answer["X-Content-Type-Options"] == "nosniff", url
            continue
        text = answer.text
        for tag in ("<img src=x", "<script>alert(2)"):
            assert tag not in text, url
        shown += "&lt;img src=x" in text
    assert shown > 10


def test_scripts_turn_no_text_into_markup() -> None:
    folder = django_settings.BASE_DIR / "frontend" / "src"
    scripts = [path for path in folder.rglob("*.ts") if "test" not in path.name]

    assert len(scripts) > 20
    assert not [path.name for path in scripts if re.search(SINKS, path.read_text(encoding="utf-8"))]


class Forms(HTMLParser):
    """Collects the names of the fields that a page's forms would put into a URL."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.is_get = False
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.is_get = (values.get("method") or "get").lower() == "get"
        elif tag in {"input", "select", "textarea"} and self.is_get:
            self.names.add(values.get("name") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_get = False


@pytest.mark.parametrize(
    "signed_in",
    [pytest.param(False, marks=pytest.mark.long("visits every URL again, signed out")), True],
)
def test_forms_put_nothing_secret_into_urls(client: Client, *, signed_in: bool) -> None:
    person = make_user("ada@example.org", pk=UUID, is_staff=True, is_superuser=True)
    make_article(person, title="text")
    names: set[str] = set()
    for url in all_urls():
        if signed_in and SESSION_KEY not in client.session:
            client.force_login(person)
        names |= Forms(client.get(url).getvalue().decode()).names

    searches = {"q", "category", "author", "order", ""}
    of_the_admin = {"_popup", "_to_field", "e", "p"}
    assert names <= searches | of_the_admin
    assert "q" in names
