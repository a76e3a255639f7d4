import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from dovetail.http.middleware import Middleware


class Recording(Middleware):
    """Answers /coffee itself, and marks other responses."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        return HttpResponse(status=418) if request.path == "/coffee" else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        del request
        response["X-Thread"] = threading.current_thread().name


def request_for(path: str) -> HttpRequest:
    request = HttpRequest()
    request.path = path
    return request


def view(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse("tea")


async def async_view(request: HttpRequest) -> HttpResponse:
    return view(request)


def answer(path: str, *, asynchronous: bool) -> Any:
    if not asynchronous:
        return Recording(view)(request_for(path))

    async def respond() -> Any:
        return await Recording(async_view)(request_for(path))  # type: ignore[misc]

    return asyncio.run(respond())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_middleware_changes_the_response_of_the_view_in_the_same_thread(
    asynchronous: bool,
) -> None:
    response = answer("/tea", asynchronous=asynchronous)

    assert response.content == b"tea"
    assert response["X-Thread"] == threading.current_thread().name


@pytest.mark.parametrize("asynchronous", [False, True])
def test_middleware_that_answers_itself_skips_the_view(asynchronous: bool) -> None:
    response = answer("/coffee", asynchronous=asynchronous)

    assert response.status_code == 418
    assert "X-Thread" not in response


def test_django_sees_whether_middleware_is_asynchronous() -> None:
    assert not iscoroutinefunction(Recording(view))
    assert iscoroutinefunction(Recording(async_view))


async def test_async_hook_replaces_the_sync_one_under_asgi() -> None:
    class Waiting(Recording):
        async def aprocess_request(self, request: HttpRequest) -> HttpResponseBase | None:
            await asyncio.sleep(0)
            return HttpResponse(f"waited for {request.path}")

    response: Any = await Waiting(async_view)(request_for("/coffee"))  # type: ignore[misc]

    assert response.content == b"waited for /coffee"
