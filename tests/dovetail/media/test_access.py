"""Kind: who knows the URL of a file gets it, although they may not see what it belongs to."""

from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, models
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext, isolate_apps
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.media import access
from dovetail.media.names import RandomName
from tests.dovetail.shelves.models import Attachment, Letter
from tests.factories import make_user

pytestmark = pytest.mark.django_db

CONTENT = b"Dear Ada"
CONDITIONS = [
    {},
    {"if-none-match": "*"},
    {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    {"if-match": '"other"'},
    {"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    {"range": "bytes=0-3"},
    {"range": "bytes=99999-"},
]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def letter(reader: User | None = None, field: str = "scan", **fields: Any) -> tuple[Letter, str]:
    row = Letter(reader=str(reader.pk) if reader else "", **fields)
    row.save()
    getattr(row, field).save("letter.txt", ContentFile(CONTENT))
    return row, f"/media/{getattr(row, field).name}"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def status(client: Client, url: str, **headers: str) -> int:
    response: Any = client.get(url, headers=headers)
    if response.streaming:
        b"".join(response.streaming_content)  # closes the file
    return int(response.status_code)


def test_public_file_costs_one_query_and_no_session(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    row = Attachment.objects.create(file=default_storage.save("files/a.txt", ContentFile(CONTENT)))
    reader = signed_in(make_user())
    reader.get("/articles/mine/")  # records the use of the session

    for client in (Client(), reader):
        with django_assert_num_queries(1):
            response: Any = client.get(f"/media/{row.file.name}")
            assert b"".join(response.streaming_content) == CONTENT
        assert response.status_code == 200
        assert "max-age=" in response["Cache-Control"]
        assert "no-store" not in response["Cache-Control"]
        assert "Cookie" not in response.get("Vary", "")  # the same for everyone


def test_file_is_shown_to_those_who_may_see_its_row() -> None:
    ada, bob = make_user(), make_user()
    _, url = letter(ada)

    assert status(Client(), url) == 404
    assert status(signed_in(bob), url) == 404
    response: Any = signed_in(ada).get(url)
    assert b"".join(response.streaming_content) == CONTENT
    assert response["Cache-Control"] == "private, no-store"
    assert "Cookie" in response["Vary"]


@pytest.mark.django_db(transaction=True)
async def test_file_is_shown_to_those_who_may_see_its_row_under_asgi(
    async_client: AsyncClient,
) -> None:
    ada = await sync_to_async(make_user)()
    _, url = await sync_to_async(letter)(ada)

    assert (await async_client.get(url)).status_code == 404
    await async_client.aforce_login(ada)
    response: Any = await async_client.get(url)
    assert b"".join([chunk async for chunk in response.streaming_content]) == CONTENT


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("headers", CONDITIONS, ids=str)
def test_no_request_tells_that_the_file_exists(method: str, headers: dict[str, str]) -> None:
    """Kind: a 304, 412, 416 or 206 for what one may not see."""
    _, url = letter(make_user())
    bob = signed_in(make_user())

    hidden = getattr(bob, method)(url, headers=headers)
    missing = getattr(bob, method)("/media/letters/none.txt", headers=headers)

    assert hidden.status_code == missing.status_code == 404
    assert {name for name, _ in hidden.items()} == {name for name, _ in missing.items()}
    assert not {"ETag", "Last-Modified", "Accept-Ranges", "Content-Range"} & set(hidden.headers)


def test_conditional_and_partial_requests_work_for_those_who_may_see_it() -> None:
    ada = make_user()
    _, url = letter(ada)
    client = signed_in(ada)
    etag = client.head(url)["ETag"]

    assert status(client, url, **{"if-none-match": etag}) == 304
    part: Any = client.get(url, headers={"range": "bytes=0-3"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, CONTENT[:4])


def test_file_is_hidden_while_its_row_is_deleted() -> None:
    row, url = letter()
    assert status(Client(), url) == 200

    row.delete()
    assert status(Client(), url) == 404
    assert status(signed_in(make_user(is_staff=True, is_superuser=True)), url) == 404

    row.restore()
    assert status(Client(), url) == 200


def test_file_of_several_rows_is_shown_if_one_of_them_is() -> None:
    ada = make_user()
    row, url = letter(ada, field="enclosure")
    assert status(Client(), url) == 404
    assert status(signed_in(ada), url) == 200

    copy = Attachment.objects.create(file=row.enclosure.name)
    assert status(Client(), url) == 200

    copy.delete()
    assert status(Client(), url) == 404


@pytest.mark.parametrize(
    "name", ["stray.txt", "files/stray.txt", "letters/stray.txt", "none/stray.txt", "files/a/b.txt"]
)
def test_file_without_a_row_is_not_found(name: str) -> None:
    default_storage.save(name, ContentFile(CONTENT))

    assert status(Client(), f"/media/{name}") == 404


def test_file_is_not_found_through_a_row_of_another_folder() -> None:
    """Kind: a public model lends its rows to a private folder."""
    ada = make_user()
    row, url = letter(ada)
    Attachment.objects.create(file=row.scan.name)

    assert status(Client(), url) == 404


def test_field_without_a_name_of_the_kit_is_not_served() -> None:
    _, url = letter(field="note")

    assert status(Client(), url) == 404


def test_session_that_ended_shows_nothing() -> None:
    ada = make_user()
    _, url = letter(ada)
    client = signed_in(ada)
    assert status(client, url) == 200

    ada.is_active = False
    ada.save()

    assert status(client, url) == 404


@pytest.mark.django_db(transaction=True)
def test_sending_a_file_holds_no_connection() -> None:
    """Kind: visitors who read slowly hold all connections of a process."""
    _, url = letter()

    response: Any = Client().get(url)

    assert connection.connection is None
    assert b"".join(response.streaming_content) == CONTENT


@pytest.mark.parametrize("field", ["scan", "enclosure"])
def test_rows_are_found_by_an_index(field: str) -> None:
    row, _ = letter(field=field)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as queries:
        access.is_public(getattr(row, field).name)

    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = str(cursor.fetchall())
        assert "Index" in plan
        assert "Seq Scan" not in plan


def test_model_without_an_index_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with isolate_apps("tests.dovetail.shelves"):

        class Poster(models.Model):  # noqa: DJ008 - has no rows
            slow = models.FileField(upload_to=RandomName("slow"))
            fast = models.FileField(upload_to=RandomName("fast"))

            class Meta:
                app_label = "shelves"
                indexes = [models.Index(fields=["fast"], name="fast")]

    owners = {"slow": {Poster: ["slow"]}, "fast": {Poster: ["fast"]}}
    assert access.check_indexes() == []
    monkeypatch.setattr(access, "owners", lambda: owners)

    (message,) = access.check_indexes()

    assert message.id == "dovetail.W005"
    assert "'slow'" in message.msg
    assert 'models.Index(fields=["slow"]' in str(message.hint)
