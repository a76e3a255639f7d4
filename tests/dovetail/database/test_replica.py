"""Requests read from a replica that is behind: here, a database with other rows."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import path
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.cache.computed import cached
from dovetail.database.replica import REPLICA, ReplicaMiddleware
from dovetail.models.prepared import Prepared, PreparedRow
from dovetail.models.uuid7 import uuid7
from tests.dovetail.shelves.models import Shelf
from tests.replicas import replica_with

PRIMARY_ROW, REPLICA_ROW = "new", "old"
PK = uuid7()  # of both rows
# For all tests of this file, as those of a process are for all of its requests.
NAME = Prepared(lambda pk: Shelf.objects.filter(pk=pk).values_list("name"))
SHELF = PreparedRow(lambda pk: Shelf.objects.filter(pk=pk), UUID)


def names() -> str:
    return ",".join(Shelf.objects.order_by("name").values_list("name", flat=True))


def prepared_names() -> str:
    """Return what both kinds of prepared queries find, which is the same."""
    [[name]] = NAME.rows(PK)
    shelf = SHELF.first(PK)
    assert shelf is not None
    assert shelf.name == name
    return str(name)


def show(_: HttpRequest) -> HttpResponse:
    return HttpResponse(names())


def show_prepared(_: HttpRequest) -> HttpResponse:
    return HttpResponse(prepared_names())


def show_prepared_in_transaction(_: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Shelf.objects.update(name="written")
        return HttpResponse(prepared_names())


def write_and_show_prepared(_: HttpRequest) -> HttpResponse:
    before = prepared_names()
    Shelf.objects.update(name="written")
    return HttpResponse(f"{before} {prepared_names()}")


def show_prepared_kept(_: HttpRequest) -> HttpResponse:
    return HttpResponse(cached("prepared", prepared_names, ttl=60, tags=["shelves"]))


def show_in_transaction(_: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        return HttpResponse(names())


def show_locked(_: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        return HttpResponse(Shelf.objects.select_for_update().get().name)


def write_and_show(_: HttpRequest) -> HttpResponse:
    before = names()
    Shelf.objects.create(name="written")
    return HttpResponse(f"{before} {names()}")


def show_kept(_: HttpRequest) -> HttpResponse:
    return HttpResponse(cached("shelves", names, ttl=60, tags=["shelves"]))


def show_user(_: HttpRequest) -> HttpResponse:
    return HttpResponse(str(User.objects.count()))


urlpatterns = [
    path("show/", show),
    path("transaction/", show_in_transaction),
    path("locked/", show_locked),
    path("write/", write_and_show),
    path("user/", show_user),
    path("kept/", show_kept),
    path("prepared/show/", show_prepared),
    path("prepared/transaction/", show_prepared_in_transaction),
    path("prepared/write/", write_and_show_prepared),
    path("prepared/kept/", show_prepared_kept),
]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def replica(settings: Settings) -> Iterator[None]:
    with replica_with(settings, Shelf):
        Shelf.objects.create(pk=PK, name=PRIMARY_ROW)
        Shelf(pk=PK, name=REPLICA_ROW).save(using=REPLICA)
        yield


def text(response: Any) -> str:
    return str(response.content.decode())


def test_page_reads_from_the_replica(client: Client) -> None:
    response = client.get("/show/")

    assert text(response) == REPLICA_ROW
    assert not response.cookies  # so that it can be cached
    assert client.head("/show/").status_code == 200


def test_code_without_a_request_reads_from_the_primary(client: Client) -> None:
    """As tasks and commands, also in the thread of a request before."""
    client.get("/show/")

    assert names() == PRIMARY_ROW


def test_person_sees_what_they_have_written(client: Client, settings: Settings) -> None:
    """Kind: a comment that is not there after the redirect."""
    written = client.post("/write/")

    assert text(written) == f"{PRIMARY_ROW} {PRIMARY_ROW},written"
    cookie = written.cookies["wrote"]
    assert cookie["max-age"] == settings.REPLICA_STICKY_SECONDS
    assert cookie["httponly"]
    assert text(client.get("/show/")) == f"{PRIMARY_ROW},written"
    assert text(Client().get("/show/")) == REPLICA_ROW  # others are as far as the replica
    client.cookies.clear()  # as the browser does in the end
    assert text(client.get("/show/")) == REPLICA_ROW


def test_get_that_writes_reads_from_the_primary_from_then_on(client: Client) -> None:
    response = client.get("/write/")

    assert text(response) == f"{REPLICA_ROW} {PRIMARY_ROW},written"
    assert "wrote" in response.cookies


@pytest.mark.parametrize("page", ["transaction", "locked"])
def test_transactions_and_locks_are_on_the_primary(client: Client, page: str) -> None:
    assert text(client.get(f"/{page}/")) == PRIMARY_ROW


def test_what_is_kept_for_others_is_read_from_the_primary(client: Client) -> None:
    """Kind: what a change has dropped, made again of rows from before the change."""
    assert client.get("/kept/").text == PRIMARY_ROW


def test_accounts_are_read_from_the_primary(client: Client) -> None:
    """Kind: a session that was ended, and is not. The replica lacks the very table."""
    assert text(client.get("/user/")) == "0"


def test_program_with_a_token_reads_what_it_has_written(client: Client) -> None:
    """It keeps no cookies."""
    assert text(client.get("/show/", headers={"Authorization": "Bearer x"})) == PRIMARY_ROW


def test_cookie_belongs_to_this_host_in_production(client: Client, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True

    cookie = client.post("/write/", secure=True).cookies["__Host-wrote"]

    assert cookie["secure"]
    assert cookie["path"] == "/"


async def test_async_view_reads_from_the_replica() -> None:
    seen = []

    async def view(_: HttpRequest) -> HttpResponse:
        # In this thread, whose connections are those of the fixture.
        seen.append(await sync_to_async(ask)())
        return HttpResponse()

    def ask() -> str:
        return str(router.db_for_read(Shelf))

    request = AsyncRequestFactory().get("/show/")
    await ReplicaMiddleware(view)(request)  # type: ignore[misc]

    assert seen == [REPLICA]
    assert await sync_to_async(ask)() == "default"


def test_nothing_is_migrated_there() -> None:
    assert router.allow_migrate("default", "articles")
    assert not router.allow_migrate(REPLICA, "articles")


def test_prepared_queries_are_read_where_others_are(client: Client) -> None:
    """Kind: what stays with the database that its first call was for."""
    show = "/prepared/show/"
    for _ in range(2):  # whichever comes first
        assert text(client.get(show)) == REPLICA_ROW
        assert prepared_names() == PRIMARY_ROW
    assert text(client.get("/prepared/kept/")) == PRIMARY_ROW
    assert text(client.get(show, headers={"Authorization": "Bearer x"})) == PRIMARY_ROW
    assert text(client.get("/prepared/transaction/")) == "written"
    client.cookies.clear()
    Shelf.objects.update(name=PRIMARY_ROW)
    written = client.get("/prepared/write/")
    assert text(written) == f"{REPLICA_ROW} written"
    assert text(client.get(show)) == "written"
    assert text(Client().get(show)) == REPLICA_ROW


def test_prepared_row_knows_its_database() -> None:
    """What is loaded of it later comes from there too."""

    def database(_: HttpRequest) -> HttpResponse:
        shelf = SHELF.first(PK)
        return HttpResponse(shelf and shelf._state.db)

    page: Any = ReplicaMiddleware(database)

    assert text(page(RequestFactory().get("/"))) == REPLICA
    assert text(page(RequestFactory().post("/"))) == "default"
