"""Requests read from a replica that is behind: here, a database with other rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, router, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, Client
from django.urls import path
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.cache.computed import cached
from dovetail.database.base import DatabaseWrapper
from dovetail.database.replica import REPLICA, ReplicaMiddleware
from tests.dovetail.shelves.models import Shelf

PRIMARY_ROW, REPLICA_ROW = "new", "old"


def names() -> str:
    return ",".join(Shelf.objects.order_by("name").values_list("name", flat=True))


def show(_: HttpRequest) -> HttpResponse:
    return HttpResponse(names())


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
]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def replica(settings: Settings) -> Iterator[None]:
    """Add another database of the same server, and use the router and the middleware."""
    settings.DATABASE_ROUTERS = ["dovetail.database.replica.ReplicaRouter"]
    settings.MIDDLEWARE = ["dovetail.database.replica.ReplicaMiddleware", *settings.MIDDLEWARE]
    default = connections["default"]
    name = f"{default.settings_dict['NAME']}_replica"
    with default.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    wrapper = DatabaseWrapper(default.settings_dict | {"NAME": name}, alias=REPLICA)
    connections[REPLICA] = wrapper
    try:
        with wrapper.schema_editor() as editor:
            editor.create_model(Shelf)
        Shelf.objects.create(name=PRIMARY_ROW)
        Shelf(name=REPLICA_ROW).save(using=REPLICA)
        yield
    finally:
        wrapper.close()
        del connections[REPLICA]
        with default.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')


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
