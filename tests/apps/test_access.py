"""Who may open and use each page, as the table in docs/security.md says (ASVS 8.1.1 to 8.3.1).

Each page is asked for as each kind of person. A new page fails the first test until its rule is in
`PAGES` and in the documentation.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.models import DataExport, User
from tests.factories import make_article, make_comment, make_user

pytestmark = pytest.mark.django_db

KINDS = ("anonymous", "member", "owner", "moderator")
# What each of these kinds gets: the page, an action done, a page that hides what exists, the
# sign-in, or the question for a recent proof.
ANYONE = ("ok", "ok", "ok", "ok")
MEMBERS = ("login", "ok", "ok", "ok")
OWNER = ("login", "hidden", "ok", "hidden")
OWNER_OR_MODERATOR = ("login", "hidden", "ok", "ok")
HIDDEN = ("login", "hidden", "hidden", "hidden")  # tests of their own ask as those who may
PROVEN = ("login", "proof", "proof", "proof")
PAGES: dict[str, tuple[str, ...]] = {
    "home": ANYONE,
    "articles:list": ANYONE,
    "articles:dashboard": ANYONE,
    "articles:detail": ANYONE,
    "articles:comments": ANYONE,
    "articles:comment": ANYONE,
    "articles:create": MEMBERS,
    "articles:mine": MEMBERS,
    "articles:trash": MEMBERS,
    "articles:export": MEMBERS,
    "articles:imports": ("login", "hidden", "hidden", "ok"),
    "articles:import": HIDDEN,
    "articles:import_start": HIDDEN,
    "articles:import_cancel": HIDDEN,
    "articles:import_errors": HIDDEN,
    "articles:update": OWNER_OR_MODERATOR,
    "articles:publication": OWNER_OR_MODERATOR,
    "articles:unpublication": OWNER_OR_MODERATOR,
    "articles:deletion": OWNER_OR_MODERATOR,
    "articles:restoration": OWNER_OR_MODERATOR,
    "articles:comment_update": OWNER_OR_MODERATOR,
    "articles:comment_deletion": OWNER_OR_MODERATOR,
    **dict.fromkeys(
        ["staff:jobs", "staff:jobs_now", "staff:jobs_retry", "staff:jobs_discard"], HIDDEN
    ),
    "users:profile": ANYONE,
    "users:edit": MEMBERS,
    "users:activity": MEMBERS,
    "users:mail": MEMBERS,
    "users:mail_resumption": MEMBERS,
    "users:data": MEMBERS,
    "users:notifications": MEMBERS,
    "users:notifications_reading": MEMBERS,
    "users:session_end": PROVEN,
    "users:tokens": MEMBERS,
    "users:token_create": PROVEN,
    "users:token_revocation": PROVEN,
    "users:export_create": PROVEN,
    "users:export": ("login", "hidden", "proof", "hidden"),
    "users:deletion": PROVEN,
    "usersessions_list": MEMBERS,
    "signup_confirm": ANYONE,
}
IMPORTS = [f"articles:import{part}" for part in ("", "_start", "_cancel", "_errors")]
DRAFT = {
    "articles:detail": ("hidden", "hidden", "ok", "ok"),
    "articles:comments": ("hidden", "hidden", "ok", "ok"),
    "articles:comment": ("hidden", "hidden", "ok", "ok"),
    "articles:update": OWNER_OR_MODERATOR,
    "articles:publication": OWNER_OR_MODERATOR,
    "articles:deletion": OWNER_OR_MODERATOR,
}


def names(patterns: list[Any] | None = None, space: str = "") -> Iterator[str]:
    """Yield the names of the apps' own pages, not those of the admin and of allauth.

    `tests/apps/api/test_rights.py` asks for the endpoints of the API.
    """
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern) and pattern.callback.__module__.startswith("apps."):
            yield f"{space}{pattern.name}"
        elif isinstance(pattern, URLResolver) and pattern.namespace not in {"admin", "api"}:
            if pattern.namespace:
                yield from names(pattern.url_patterns, f"{pattern.namespace}:")
            elif str(pattern.pattern) != "accounts/":
                yield from names(pattern.url_patterns, space)


@pytest.fixture(autouse=True)
def _allow_any_queries(settings: Settings) -> None:
    settings.ZEAL_RAISE = False  # a query too many is not what is looked for
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]


class Site:
    """Someone's article, comment and export, which others ask for."""

    def __init__(self, *, published: bool) -> None:
        self.owner = make_user("ada@example.org", password="a-joint-of-wood-29")
        self.article = make_article(self.owner, published=published)
        self.comment = make_comment(self.article, self.owner)
        self.export = DataExport.objects.create(user=self.owner, content={})

    def url(self, name: str) -> str:
        """Return the address of a page about what the owner has."""
        arguments: dict[str, list[Any]] = {
            "articles:restoration": [self.article.pk],
            **{page: [self.article.pk] for page in IMPORTS},
            "users:profile": [self.owner.pk],
            "users:session_end": [1],
            "users:token_revocation": [self.owner.pk],
            "users:export": [self.export.pk],
        }
        if name in arguments:
            return reverse(name, args=arguments[name])
        if ":comment" in name and name != "articles:comments":
            return reverse(name, args=[self.article.slug, self.comment.pk])
        if name.startswith("articles:") and name.partition(":")[2] not in {
            *("list", "dashboard", "create", "mine", "trash", "export", "imports"),
        }:
            return reverse(name, args=[self.article.slug])
        return reverse(name)

    def person(self, kind: str) -> User | None:
        if kind == "anonymous":
            return None
        if kind == "owner":
            return self.owner
        person = make_user(password="a-joint-of-wood-29")
        if kind == "moderator":
            of_articles = Permission.objects.filter(content_type__app_label="articles")
            person.user_permissions.set(of_articles)
        return person


def outcome(client: Client, url: str) -> str:
    """Return what a person gets, from a GET, or from a POST where there is no page."""
    answer = client.get(url)
    if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer = client.post(url)
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return "hidden"
    if answer.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}:
        where = answer.headers["Location"]
        if where.startswith("/accounts/login/"):
            return "login"
        return "proof" if "reauthenticate" in where else "ok"
    return "ok" if answer.status_code == HTTPStatus.OK else str(answer.status_code)


def test_every_page_has_a_rule() -> None:
    assert set(names()) == PAGES.keys()


def test_every_page_is_documented() -> None:
    text = (django_settings.BASE_DIR / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.partition("## Who may do what")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`([\w:]+)`", section))

    assert PAGES.keys() <= documented


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_for_those_who_may(client: Client, name: str, kind: str) -> None:
    site = Site(published=True)
    if name == "articles:restoration":
        site.article.delete(by=site.owner)
    if person := site.person(kind):
        client.force_login(person)

    assert outcome(client, site.url(name)) == PAGES[name][KINDS.index(kind)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DRAFT)
def test_page_of_a_draft_is_for_those_who_may(client: Client, name: str, kind: str) -> None:
    site = Site(published=False)
    if person := site.person(kind):
        client.force_login(person)

    assert outcome(client, site.url(name)) == DRAFT[name][KINDS.index(kind)]


@pytest.mark.parametrize("kind", ["anonymous", "member"])
def test_what_is_refused_changes_nothing(client: Client, kind: str) -> None:
    """Kind: a check in the page, and none in the request that the page would send."""
    site = Site(published=True)
    if person := site.person(kind):
        client.force_login(person)
    before = Article.objects.values().get()
    fields = {"title": "Mine now", "body": "Mine now", "category": "design", "version": "0"}

    for name in ("update", "unpublication", "deletion", "comment_update", "comment_deletion"):
        client.post(site.url(f"articles:{name}"), fields)

    assert Article.objects.values().get() == before
    site.comment.refresh_from_db()
    assert site.comment.body == "Well cut."
