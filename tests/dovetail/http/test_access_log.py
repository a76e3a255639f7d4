"""What the access log says of a request, and the identifier that ties its lines together."""

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings

from dovetail.cable.asgi import with_cable
from dovetail.http.access_log import with_access_log
from dovetail.http.request_id import current
from tests.factories import make_user

ID = re.compile(r"[0-9a-f]{32}")
logger = logging.getLogger(__name__)


def view(request: HttpRequest) -> HttpResponse:
    logger.info("in the view: %s", current.get())
    if "who" in request.GET:
        bool(request.user.is_authenticated)
    if "fail" in request.GET:
        raise LookupError("none left")
    return HttpResponse("answer", status=410 if "gone" in request.GET else 200)


urlpatterns = [path("view/", view)]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture, settings: Settings) -> Iterator[None]:
    settings.TRUSTED_PROXY_COUNT = 1
    caplog.set_level(logging.INFO)
    yield
    assert current.get() == ""


async def answer_to(path: str, *, query: str = "", kind: str = "http", **headers: str) -> Any:
    """Return the messages that the site sends for a request."""
    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [
            (b"host", b"testserver"),
            *((name.replace("_", "-").encode(), item.encode()) for name, item in headers.items()),
        ],
        "subprotocols": [],
        "client": ("198.51.100.7", 5),
    }
    if kind == "websocket":
        del scope["method"]
    sent: list[Any] = []
    received = asyncio.Queue[Any]()
    received.put_nowait({"type": f"{kind}.{'request' if kind == 'http' else 'connect'}"})

    async def send(message: Any) -> None:
        sent.append(message)

    await with_access_log(with_cable(ASGIHandler()))(scope, received.get, send)
    return sent


def line(caplog: pytest.LogCaptureFixture) -> Any:
    [record] = [record for record in caplog.records if record.name == "dovetail.access"]
    return record


def identifier(sent: Any) -> str:
    return str(dict(sent[0]["headers"])[b"x-request-id"].decode())


@pytest.mark.django_db
async def test_line_describes_the_request(caplog: pytest.LogCaptureFixture) -> None:
    sent = await answer_to(
        "/view/", query="q=secret", x_forwarded_for="203.0.113.9", user_agent="Lynx"
    )

    record = line(caplog)
    assert record.getMessage() == "GET /view/ 200"
    assert (record.method, record.path, record.status) == ("GET", "/view/", 200)
    assert (record.bytes, record.address, record.user_agent) == (6, "203.0.113.9", "Lynx")
    assert record.duration_ms > 0
    assert ID.fullmatch(record.request_id)
    assert identifier(sent) == record.request_id
    assert f"in the view: {record.request_id}" in caplog.messages
    assert "secret" not in str(vars(record))


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "kept"), [(1, True), (0, False)])
async def test_identifier_of_a_trusted_proxy_is_kept(
    settings: Settings, caplog: pytest.LogCaptureFixture, count: int, kept: bool
) -> None:
    settings.TRUSTED_PROXY_COUNT = count

    sent = await answer_to("/view/", x_request_id="edge-7.a_B")

    assert (identifier(sent) == "edge-7.a_B") is kept
    assert line(caplog).request_id == identifier(sent)


@pytest.mark.django_db
@pytest.mark.parametrize("forged", ["a" * 65, "a b", "a\nb", 'a"', "<b>", ""])
async def test_other_identifiers_are_replaced(forged: str) -> None:
    """Kind: text of a visitor that becomes a line of the log."""
    assert ID.fullmatch(identifier(await answer_to("/view/", x_request_id=forged)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asked", [True, False])
async def test_user_is_named_if_the_page_asked(
    caplog: pytest.LogCaptureFixture, asked: bool
) -> None:
    """Without a query that only the log needs."""

    def sign_in() -> tuple[str, str]:
        client, user = Client(), make_user()
        client.force_login(user)
        return f"sessionid={client.cookies['sessionid'].value}", str(user.pk)

    cookie, user_id = await sync_to_async(sign_in)()
    await answer_to("/view/", query="who" if asked else "", cookie=cookie)

    assert line(caplog).user_id == (user_id if asked else "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "query", "status"),
    [("/view/", "gone", 410), ("/view/", "fail", 500), ("/livez", "", 200)],
)
async def test_status_is_logged(
    caplog: pytest.LogCaptureFixture, path: str, query: str, status: int
) -> None:
    sent = await answer_to(path, query=query)

    assert sent[0]["status"] == status
    if path == "/livez":  # each second, and it says nothing
        assert "dovetail.access" not in {record.name for record in caplog.records}
    else:
        assert line(caplog).status == status


async def test_rejected_socket_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await answer_to("/none", kind="websocket")

    assert line(caplog).getMessage() == "WEBSOCKET /none 403"


async def test_path_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    await answer_to("/none\nINFO admin: signed in", kind="websocket")

    assert "\n" not in line(caplog).getMessage()


@pytest.mark.django_db
def test_request_has_an_identifier_without_the_log(client: Client) -> None:
    """As with `ACCESS_LOG=false`, or another server."""
    first = client.get("/view/", headers={"X-Request-ID": "edge-7"})
    assert first["X-Request-ID"] == "edge-7"

    second = client.get("/view/")
    assert ID.fullmatch(second["X-Request-ID"])
