import pytest
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory

from dovetail.http.conditional import ConditionalPagesMiddleware
from tests.factories import make_member

REQUESTS = RequestFactory()


def answer(response: HttpResponse, method: str = "get", **headers: str) -> HttpResponse:
    def view(_request: HttpRequest) -> HttpResponse:
        return response

    request = getattr(REQUESTS, method)("/", headers=headers)
    answered = ConditionalPagesMiddleware(view)(request)
    assert isinstance(answered, HttpResponse)
    return answered


def test_page_that_the_browser_has_is_not_sent_again() -> None:
    first = answer(HttpResponse("page"))
    second = answer(HttpResponse("page"), **{"if-none-match": first["ETag"]})
    changed = answer(HttpResponse("another"), **{"if-none-match": first["ETag"]})

    assert (first.status_code, second.status_code, changed.status_code) == (200, 304, 200)
    assert (second.content, second["ETag"]) == (b"", first["ETag"])
    assert changed["ETag"] != first["ETag"]


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse("{}", content_type="application/json"),
        HttpResponse("x", status=404),
        HttpResponse("x", headers={"Cache-Control": "private, no-store"}),
        StreamingHttpResponse([b"x"]),
        FileResponse(iter([b"x"])),
    ],
)
def test_other_responses_are_left_alone(response: HttpResponse) -> None:
    before = dict(response.headers)
    request = REQUESTS.get("/")

    assert ConditionalPagesMiddleware(lambda _: response)(request) is response
    assert dict(response.headers) == before


def test_forms_and_what_is_new_each_time_are_not_compared() -> None:
    page = HttpResponse("page")
    page.set_cookie("csrftoken", "x")

    assert "ETag" not in answer(page)
    assert "ETag" not in answer(HttpResponse("page"), "post")


def test_own_tag_of_a_view_holds() -> None:
    page = HttpResponse("page", headers={"ETag": '"1"'})

    assert answer(page, **{"if-none-match": '"1"'}).status_code == 304


@pytest.mark.django_db
async def test_site_compares_under_asgi(async_client: AsyncClient) -> None:
    first = await async_client.get("/people/nobody/", follow=True)
    assert "ETag" not in first.headers  # 404
    first = await async_client.get("/articles/dashboard/")
    second = await async_client.get(
        "/articles/dashboard/", headers={"if-none-match": first.headers["ETag"]}
    )
    assert (first.status_code, second.status_code) == (200, 304)
    # The headers of a 304 replace those of the copy that the browser has.
    assert "Content-Security-Policy" not in second.headers


@pytest.mark.django_db
def test_private_pages_have_no_tag(client: Client) -> None:
    client.force_login(make_member())

    assert "ETag" not in client.get("/articles/mine/").headers
