"""What is kept for visitors, and what never is. tests/apps/test_visitor_pages.py asks the site."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.cache import computed, pages, valkey
from dovetail.cache.computed import invalidate
from dovetail.cache.pages import VisitorPagesMiddleware, for_visitors
from dovetail.cache.release import release
from dovetail.devtools.embedded.testing import free_port
from dovetail.http.security import nonce

REQUESTS = RequestFactory()


class Site:
    """Answers with 1, 2 and so on, and does to each response what a test wants."""

    def __init__(self) -> None:
        self.renderings = 0
        self.change: Callable[[Any, HttpResponse], Any] = lambda _request, _response: None
        self.middleware = VisitorPagesMiddleware(self.render)

    def render(self, request: HttpRequest) -> HttpResponse:
        self.renderings += 1
        response = HttpResponse(str(self.renderings))
        self.change(request, response)
        return response

    def get(self, path: str = "/a/", method: str = "get", **headers: str) -> str:
        response = self.middleware(getattr(REQUESTS, method)(path, headers=headers))
        assert isinstance(response, HttpResponse)
        return response.text


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    @for_visitors("x", query={"color": ["red"]})
    def view(_request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    monkeypatch.setattr(pages, "resolve", lambda _path: ResolverMatch(view, (), {}))
    return Site()


def test_visitors_get_the_kept_page(site: Site) -> None:
    assert [site.get() for _ in range(3)] == ["1"] * 3
    assert site.get("/b/") == "2"
    assert site.get("/a/?color=red") == "3"
    assert site.get("/a/?color=red") == "3"
    assert site.get(cookie=f"csrftoken={'x' * 32}") == "1"


def test_head_asks_for_the_same_page(site: Site) -> None:
    """Kind: a view that does less for HEAD, whose answer is kept for all."""
    methods: list[str | None] = []
    site.change = lambda request, _response: methods.append(request.method)

    assert [site.get(method="head"), site.get(), site.get(method="head")] == ["1"] * 3
    assert methods == ["GET"]


@pytest.mark.parametrize(
    "request_",
    [
        {"cookie": "sessionid=x"},
        {"cookie": "csrftoken=x"},  # malformed: it gets a new one
        {"cookie": f"csrftoken={'x' * 32}; csrftoken={'y' * 32}"},
        {"cookie": f"csrftoken={'x' * 32}; theme=dark"},
        {"cookie": "messages=x"},
        {"cookie": "unknown"},
        {"authorization": "Bearer x"},
        {"path": "/a/?color=blue"},
        {"path": "/a/?color=red&color=red"},
        {"path": "/a/?utm=1"},
        {"path": "/" + "a" * 600},
        {"method": "post"},
        {"turbo-frame": "x" * 600},
    ],
)
def test_others_get_a_page_of_their_own(site: Site, request_: dict[str, str]) -> None:
    site.get()

    first, second = site.get(**request_), site.get(**request_)
    assert (first, second) == ("2", "3")
    assert site.get() == "1"


@pytest.mark.parametrize(
    "headers",
    [
        {"turbo-frame": "comments"},
        {"accept": "text/vnd.turbo-stream.html, text/html"},
        {"host": "localhost:8000"},
    ],
)
def test_what_a_page_may_depend_on_is_in_its_key(site: Site, headers: dict[str, str]) -> None:
    assert [site.get(), site.get(**headers), site.get(**headers), site.get()] == [*"1221"]


def with_session(request: Any, _response: HttpResponse) -> None:
    request.session = SessionStore()
    request.session["cart"] = 1


def with_user(request: Any, _response: HttpResponse) -> None:
    request.user = User()


@pytest.mark.parametrize(
    "change",
    [
        with_session,
        with_user,
        lambda _, response: response.set_cookie("seen", "1"),
        lambda _, response: response.__setitem__("Cache-Control", "private"),
        lambda _, response: response.__setitem__("Cache-Control", "No-Store, max-age=3"),
        lambda _, response: response.__setitem__("Vary", "Cookie, User-Agent"),
        lambda _, response: response.__setitem__("Vary", "*"),
        lambda _, response: response.__setitem__("Content-Encoding", "gzip"),
        lambda _, response: response.__setitem__("Vary", "Accept-Language"),
        lambda _, response: response.__setitem__("Content-Type", "application/json"),
        lambda _, response: setattr(response, "status_code", 404),
        lambda _, response: response.write("x" * pages.LARGEST),
        lambda request, _: str(nonce(request)),
        lambda request, _: request.META.update({"CSRF_COOKIE_NEEDS_UPDATE": True}),
    ],
)
def test_what_could_be_someones_is_not_kept(
    site: Site, change: Callable[[Any, HttpResponse], Any]
) -> None:
    site.change = change

    for number in range(3):
        assert site.get()[:5].rstrip("x") == str(number + 1)


def test_error_keeps_out_no_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: one failure, or one visitor's own page, that lasts as long as a page is kept."""
    monkeypatch.setattr(pages, "UNKEPT", 0)
    site.change = lambda _, response: setattr(response, "status_code", 500)
    assert site.get() == "1"

    site.change = lambda _request, _response: None

    assert [site.get(), site.get()] == ["2", "2"]


def test_dead_renderer_delays_others_for_a_moment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: all threads of all processes that wait for one that was killed."""
    monkeypatch.setattr(pages, "PATIENCE", 0.1)
    key = pages.key_of(REQUESTS.get("/a/")) or ""
    slot = computed._Slot[object](key, release(), [], 1, 1)  # noqa: SLF001 - as it leaves it
    computed._cache().add(slot.lock, 1, 600)  # noqa: SLF001

    assert site.get() == "1"


def test_unmarked_views_are_not_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "resolve", lambda _path: ResolverMatch(site.render, (), {}))

    assert [site.get() for _ in range(2)] == ["1", "2"]


def test_other_caches_are_told(site: Site, settings: Settings) -> None:
    def headers(path: str) -> str:
        response = site.middleware(REQUESTS.get(path))
        assert isinstance(response, HttpResponse)
        assert response["ETag"].startswith('W/"')
        return response["Cache-Control"]

    assert [headers("/a/") for _ in range(2)] == ["public, max-age=0"] * 2
    settings.PAGES_CDN_SECONDS = 20
    shared = "public, max-age=0, s-maxage=20, stale-while-revalidate=20"
    assert [headers("/b/") for _ in range(2)] == [shared] * 2


@pytest.mark.django_db(transaction=True)
def test_change_drops_the_page(site: Site) -> None:
    assert [site.get(), site.get()] == ["1", "1"]
    invalidate("x")
    assert [site.get(), site.get()] == ["2", "2"]


def test_many_at_once_render_one_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "WAIT", 60)
    together = threading.Barrier(20)

    def get() -> str:
        together.wait(60)
        return site.get()

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(get) for _ in range(20)]
        assert {one.result(60) for one in asked} == {"1"}


def test_process_keeps_a_limited_number(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST", 2)

    assert [site.get(f"/{path}/") for path in "abcabc"] == ["1", "2", "3", "1", "2", "4"]


def test_pages_are_rendered_without_a_cache(site: Site, settings: Settings) -> None:
    down = {
        "BACKEND": "dovetail.cache.valkey.ValkeyCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}",
    }
    settings.CACHES = settings.CACHES | {"computed": down}

    assert [site.get() for _ in range(2)] == ["1", "2"]
