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


def answer(response: HttpResponse, method: str = "POST", **headers: str) -> int:
    request = RequestFactory().generic(method, "/", headers=headers)
    result = TurboMiddleware(lambda _request: response)(request)
    assert isinstance(result, HttpResponse)
    return result.status_code


def test_a_form_with_errors_is_unprocessable() -> None:
    assert answer(show(NameForm({}))) == 422


@pytest.mark.parametrize("form", [NameForm({"name": "Ada"}), NameForm(), None])
def test_other_pages_stay_as_they_are(form: forms.Form | None) -> None:
    assert answer(show(form)) == 200


def test_a_get_form_with_errors_is_no_failure() -> None:
    assert answer(show(NameForm({})), method="GET") == 200


TURBO = {"X-Turbo-Request-Id": "1"}


def test_a_page_that_turbo_would_throw_away_is_unprocessable() -> None:
    assert answer(HttpResponse("<h1>"), **TURBO) == 422


@pytest.mark.parametrize(
    ("response", "headers"),
    [
        (HttpResponse("<h1>"), {}),
        (HttpResponse("<h1>"), TURBO | {"Turbo-Frame": "list"}),
        (HttpResponse("", content_type="text/vnd.turbo-stream.html"), TURBO),
        (HttpResponse("{}", content_type="application/json"), TURBO),
    ],
)
def test_what_is_shown_anyway_stays_as_it_is(
    response: HttpResponse, headers: dict[str, str]
) -> None:
    assert answer(response, **headers) == 200


@pytest.mark.parametrize("redirect", [HttpResponseRedirect, HttpResponsePermanentRedirect])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_after_a_change_the_browser_is_sent_to_look(
    method: str, redirect: type[HttpResponseRedirectBase]
) -> None:
    assert answer(redirect("/"), method) == 303


def test_a_redirected_get_stays_as_it_is() -> None:
    assert answer(HttpResponseRedirect("/"), "GET") == 302


async def test_the_same_for_async_servers() -> None:
    async def view(_request: HttpRequest) -> HttpResponse:
        return show(NameForm({}))

    response = await TurboMiddleware(view)(AsyncRequestFactory().post("/"))  # type: ignore[misc]

    assert response.status_code == 422
