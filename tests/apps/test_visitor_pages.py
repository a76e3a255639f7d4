"""Kept pages contain nothing private: all kinds of visitors ask for all pages, in random order.

Each answer is compared with that of a site that keeps neither pages nor fragments. They ask Django,
and the event loop, which answers before it.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.core.cache import caches
from django.test import AsyncClient, Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils.datastructures import CaseInsensitiveMapping
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.cache import pages
from dovetail.cache.answers import with_visitor_pages
from dovetail.http.messages import NamedCookieStorage
from tests.apps.test_access import PAGES, Site
from tests.dovetail.http.loop import Loop
from tests.factories import make_article, make_comment, make_member, make_token

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
PUBLIC = ["home", "articles:list", "articles:detail", "articles:comments", "users:profile"]
# What is another one in each answer: tokens, nonces and the time of rendering.
UNIQUE = re.compile(
    r'(?<=name="csrfmiddlewaretoken" value=")\w{64}|(?<=data-token=")\w{64}|(?<=rendered-at=")\d+'
    r'|(?<=nonce=")[\w-]+|(?<=nonce-)[\w-]+|(?<="request_id": ")[\w-]+'
)
HEADERS = ["Content-Type", "Content-Language", "Content-Security-Policy", "Location", "Vary"]


@dataclass
class Visitor:
    kind: str
    client: Client
    cookies: SimpleCookie
    headers: dict[str, str]
    may_be_kept: bool = False

    def get(self, url: str) -> tuple[Any, ...]:
        """Return what tells answers apart."""
        self.client.cookies = deepcopy(self.cookies)
        answer = self.client.get(url)
        body = b"".join(answer) if answer.streaming else answer.content
        return self._compared(url, answer.status_code, answer.headers, sorted(answer.cookies), body)

    def ask(self, loop: Loop, url: str) -> tuple[Any, ...]:
        """Return the same of what the event loop answers."""
        cookie = self.cookies.output(attrs=[], header="", sep=";").strip()
        status, headers, body, _ = async_to_sync(loop.get)(url, self.headers | {"cookie": cookie})
        pairs = [(name.decode(), value.decode()) for name, value in headers]
        cookies = [value.partition("=")[0] for name, value in pairs if name == "set-cookie"]
        named = CaseInsensitiveMapping(pairs)
        return self._compared(url, status, named, sorted(cookies), body)

    def _compared(
        self, url: str, status: int, headers: Mapping[str, str], cookies: list[str], body: bytes
    ) -> tuple[Any, ...]:
        text = UNIQUE.sub("?", body.decode(errors="replace"))
        # Headers of an own age, cookies and tags differ: see below.
        compared = {name: UNIQUE.sub("?", headers.get(name, "")) for name in HEADERS}
        is_page = compared["Content-Type"].startswith("text/html")
        if is_page and "public" in headers.get("Cache-Control", ""):
            assert self.may_be_kept, f"{self.kind} may share {url}"
        return status, text, compared, cookies


def visitors(site: Site) -> Iterator[Visitor]:
    message = Message(constants.INFO, "For your eyes only")
    storage: Any = NamedCookieStorage(RequestFactory().get("/"))
    pending = storage._encode([message])  # noqa: SLF001
    staff = make_member("staff@example.org", is_staff=True, is_superuser=True)
    Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={"secret": "x"})
    _, token = make_token(site.owner)
    people: dict[str, User | None] = {
        "author": site.owner,
        "staff": staff,
        "member": make_member("member@example.org", display_name="Grace"),
    }
    headers: dict[str, dict[str, str]] = {
        "anonymous": {},
        "German": {"accept-language": "de"},
        "frame": {"turbo-frame": f"discussion_article_{site.article.pk}"},
        "token": {"authorization": f"Bearer {token}"},
    }
    cookies = {
        "theme": {django_settings.THEME_COOKIE_NAME: "dark"},
        "language": {django_settings.LANGUAGE_COOKIE_NAME: "de"},
        "message": {django_settings.MESSAGE_COOKIE_NAME: pending},
        "no session": {django_settings.SESSION_COOKIE_NAME: "x" * 32},
        "csrf": {django_settings.CSRF_COOKIE_NAME: "y" * 32},
    }
    for kind in [*people, *headers, *cookies]:
        client = Client(headers=headers.get(kind, {}))
        if person := people.get(kind):
            client.force_login(person)
        for name, value in cookies.get(kind, {}).items():
            client.cookies[name] = value
        kept = kind in {"anonymous", "German", "frame", "csrf"}
        sent = {name.replace("-", "_"): value for name, value in headers.get(kind, {}).items()}
        yield Visitor(kind, client, deepcopy(client.cookies), sent, kept)


def all_urls(site: Site) -> list[str]:
    """Return the pages that need no arguments, and those about one article.

    Without the API, whose limits count, but with its documentation.
    """
    found = {site.url(name) for name in PAGES}

    def add(patterns: list[Any], space: str = "") -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                name = f"{space}{pattern.namespace}:" if pattern.namespace else space
                add(pattern.url_patterns, name)
            elif isinstance(pattern, URLPattern) and pattern.name:
                try:
                    found.add(reverse(f"{space}{pattern.name}"))
                except NoReverseMatch:
                    continue

    add(get_resolver().url_patterns)
    pages = {url for url in found if not url.startswith(("/dev/", "/api/"))}
    return sorted(pages | {reverse("api:docs"), reverse("api:reference")})


@pytest.fixture
def site(settings: Settings) -> Site:
    settings.ZEAL_RAISE = False
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    before = "django.middleware.common.CommonMiddleware"
    place = settings.MIDDLEWARE.index(before)
    settings.MIDDLEWARE = [
        *(name for name in settings.MIDDLEWARE[:place] if not name.startswith("zeal.")),
        pages.LOCALE,
        *settings.MIDDLEWARE[place:],
    ]
    site = Site(published=True)
    make_article(site.owner, published=False, title="A secret draft")
    return site


def public_urls(site: Site) -> list[str]:
    return [*map(site.url, PUBLIC), "/articles/?category=design", "/articles/?q=joint"]


@pytest.mark.parametrize(
    "urls_of",
    [
        public_urls,
        pytest.param(
            all_urls, marks=pytest.mark.long("asks for every page as every kind of visitor")
        ),
    ],
    ids=["public", "all"],
)
def test_every_answer_is_that_of_a_site_without_kept_pages(
    site: Site, settings: Settings, urls_of: Callable[[Site], list[str]]
) -> None:
    kept = settings.CACHES["template_fragments"]
    loop, shared = Loop(with_visitor_pages), public_urls(site)
    seed = random.randrange(10**6)  # noqa: S311 - no secret
    people = list(visitors(site))
    visits = [(visitor, url) for visitor in people for url in urls_of(site)]
    random.Random(seed).shuffle(visits)  # noqa: S311

    def use(backend: dict[str, Any]) -> None:
        caches.settings["template_fragments"] = backend
        with suppress(AttributeError):  # not used yet
            del caches["template_fragments"]

    try:
        for visitor, url in visits:
            use(NOTHING)
            expected = visitor.get(url)
            use(kept)
            assert visitor.get(url) == expected, f"{visitor.kind}: {url} (seed {seed})"
            if url in shared:  # the loop remembers no others
                assert visitor.ask(loop, url) == expected, f"{visitor.kind}: {url} (seed {seed})"
    finally:
        use(kept)
    assert loop.left < sum(url in shared for _, url in visits)


def test_visitors_pages_ask_no_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    site = Site(published=True)
    urls = [site.url(name) for name in ("home", "articles:list", "articles:detail")]
    first = [client.get(url) for url in urls]

    with django_assert_num_queries(0):
        second = [client.get(url) for url in urls]
    for before, after in zip(first, second, strict=True):
        assert (after.content, after["ETag"]) == (before.content, before["ETag"])
        assert after["Content-Security-Policy"] == before["Content-Security-Policy"]
        assert not after.cookies
        again = client.get(after.request["PATH_INFO"], headers={"if-none-match": after["ETag"]})
        assert again.status_code == 304


@pytest.mark.parametrize(
    "change",
    [
        lambda site: site.article.unpublish(),
        lambda site: site.article.delete(),
        lambda site: site.article.hard_delete(),
        lambda site: site.owner.request_deletion(),
        lambda site: type(site.article).objects.update(title="Changed"),
    ],
    ids=["unpublish", "delete", "hard delete", "closed account", "bulk"],
)
def test_changes_show_at_once(client: Client, change: Callable[[Site], Any]) -> None:
    site = Site(published=True)
    urls = [site.url(name) for name in ("home", "articles:list", "articles:detail")]
    assert all(site.article.title in client.get(url).text for url in urls)

    change(site)
    assert not any(site.article.title in client.get(url).text for url in urls)


def test_comment_shows_at_once(client: Client) -> None:
    site = Site(published=True)
    client.get(site.url("articles:comments"))
    make_comment(site.article, body="A new one")

    assert "A new one" in client.get(site.url("articles:comments")).text


async def test_pages_are_kept_under_asgi(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await async_client.get("/")
    monkeypatch.setattr(pages, "_kept", None)  # is not called again
    second = await async_client.get("/")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
