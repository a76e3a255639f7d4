import pytest
from django import forms
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseRedirectBase
from django.template.response import TemplateResponse
from django.test import AsyncRequestFactory, RequestFactory

from dovetail.turbo.middleware import TurboMiddleware


class NameForm(forms.Form):
    name = forms.CharField()


def show(form: forms.Form | None) -> TemplateResponse:
    return TemplateResponse(RequestFactory().get("/"), "404.html", {"form": form})


def status(response: HttpResponse, method: str = "POST", **headers: str) -> int:
    request = RequestFactory().generic(method, "/", headers=headers)
    result = TurboMiddleware(lambda _request: response)(request)
    assert isinstance(result, HttpResponse)
    return result.status_code


def test_invalid_form_is_answered_with_422() -> None:
    assert status(show(NameForm({}))) == 422


@pytest.mark.parametrize("form", [NameForm({"name": "Ada"}), NameForm(), None])
def test_other_pages_keep_their_status(form: forms.Form | None) -> None:
    assert status(show(form)) == 200


def test_invalid_get_form_keeps_its_status() -> None:
    assert status(show(NameForm({})), method="GET") == 200


TURBO = {"X-Turbo-Request-Id": "1"}


def test_page_that_turbo_would_discard_is_answered_with_422() -> None:
    assert status(HttpResponse("<h1>"), **TURBO) == 422


@pytest.mark.parametrize(
    ("response", "headers"),
    [
        (HttpResponse("<h1>"), {}),
        (HttpResponse("<h1>"), TURBO | {"Turbo-Frame": "list"}),
        (HttpResponse("", content_type="text/vnd.turbo-stream.html"), TURBO),
        (HttpResponse("{}", content_type="application/json"), TURBO),
    ],
)
def test_response_that_is_shown_anyway_keeps_its_status(
    response: HttpResponse, headers: dict[str, str]
) -> None:
    assert status(response, **headers) == 200


@pytest.mark.parametrize("redirect", [HttpResponseRedirect, HttpResponsePermanentRedirect])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_redirect_after_a_change_becomes_303(
    method: str, redirect: type[HttpResponseRedirectBase]
) -> None:
    assert status(redirect("/"), method) == 303


def test_redirect_of_a_get_keeps_its_status() -> None:
    assert status(HttpResponseRedirect("/"), "GET") == 302


async def test_invalid_form_is_answered_with_422_under_asgi() -> None:
    async def view(_request: HttpRequest) -> HttpResponse:
        return show(NameForm({}))

    response = await TurboMiddleware(view)(AsyncRequestFactory().post("/"))  # type: ignore[misc]

    assert response.status_code == 422
