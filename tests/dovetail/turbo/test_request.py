"""`request.turbo`, `Vary`, and messages that must not get lost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.cache import get_cache_key, learn_cache_key

from dovetail.turbo import streams
from dovetail.turbo.middleware import TurboMiddleware
from dovetail.turbo.request import current_request_id, turbo_of
from dovetail.turbo.streams import TurboStreamResponse

View = Callable[[HttpRequest], HttpResponse]


def get(view: View, **headers: str) -> Any:
    request = RequestFactory().get("/", headers=headers)
    request._messages = CookieStorage(request)  # type: ignore[attr-defined] # noqa: SLF001
    return request, TurboMiddleware(view)(request)


def empty(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_request_without_turbo_headers_is_falsy() -> None:
    request, response = get(empty)
    turbo = turbo_of(request)

    assert not turbo
    assert turbo.frame is None
    assert not turbo.accepts_stream
    assert not turbo.is_prefetch
    assert not turbo.is_native
    assert "Vary" not in response.headers


def test_turbo_headers_are_read() -> None:
    request, _ = get(
        empty,
        X_Turbo_Request_Id="abc",
        Turbo_Frame="comments",
        Accept="text/vnd.turbo-stream.html, text/html",
        X_Sec_Purpose="prefetch",
        User_Agent="Hotwire Native iOS; bridge-components: []",
    )
    turbo = turbo_of(request)

    assert turbo
    assert turbo.request_id == "abc"
    assert turbo.frame == "comments"
    assert turbo.accepts_stream
    assert turbo.is_prefetch
    assert turbo.is_native


@pytest.mark.parametrize(
    ("name", "header"),
    [("frame", "Turbo-Frame"), ("accepts_stream", "Accept"), ("is_native", "User-Agent")],
)
def test_response_varies_by_the_headers_read(name: str, header: str) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        getattr(turbo_of(request), name)
        return HttpResponse()

    _, response = get(view)

    assert response["Vary"] == header


def test_frame_and_page_are_cached_separately() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(turbo_of(request).frame or "page")

    request, response = get(view)
    learn_cache_key(request, response)
    framed, _ = get(view, Turbo_Frame="comments")

    assert get_cache_key(request) != get_cache_key(framed)


def test_current_request_id_is_set_for_each_request() -> None:
    seen: list[str | None] = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(current_request_id.get())
        return HttpResponse()

    get(view, X_Turbo_Request_Id="abc")
    get(view)

    assert seen == ["abc", None]


def test_current_request_id_ends_with_the_request() -> None:
    """Kind: state of a request that the next work of its thread finds."""
    get(lambda _request: HttpResponse(), X_Turbo_Request_Id="abc")

    assert current_request_id.get() is None


def show_messages(request: HttpRequest) -> HttpResponse:
    return HttpResponse(" ".join(str(message) for message in messages.get_messages(request)))


def pending_messages(request: Any) -> list[str]:
    """Return the messages left for the browser's next page."""
    response = HttpResponse()
    request._messages.update(response)  # noqa: SLF001
    following = RequestFactory().get("/")
    following.COOKIES = {name: cookie.value for name, cookie in response.cookies.items()}
    return [str(message) for message in CookieStorage(following)]


@pytest.mark.parametrize("headers", [{"X_Sec_Purpose": "prefetch"}, {"Turbo_Frame": "comments"}])
def test_prefetched_page_and_frame_leave_messages_pending(headers: dict[str, str]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        messages.success(request, "Saved.")
        assert not messages.get_messages(request)
        return show_messages(request)

    request, response = get(view, **headers)
    assert response.content == b""

    assert pending_messages(request) == ["Saved."]


def test_full_page_shows_messages() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        messages.success(request, "Saved.")
        return show_messages(request)

    _, response = get(view)

    assert response.content == b"Saved."


@pytest.mark.parametrize("headers", [{}, {"Turbo_Frame": "comments"}])
def test_stream_response_contains_messages_as_toasts(headers: dict[str, str]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        messages.success(request, "Saved <all>.")
        return TurboStreamResponse(streams.remove("x"))

    request, response = get(view, **headers)
    text = response.content.decode()

    assert text.startswith(streams.remove("x"))
    assert '<turbo-stream action="append" target="toasts">' in text
    assert "Saved &lt;all&gt;." in text
    assert pending_messages(request) == []
