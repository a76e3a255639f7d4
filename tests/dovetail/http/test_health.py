import logging
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast

import pytest
import redis
from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.test import AsyncClient, Client

from dovetail.cache.valkey import ValkeyCache
from dovetail.http.health import CHECKS


@pytest.fixture
def nowhere() -> str:
    """Return a URL where nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"redis://somebody:secret@127.0.0.1:{unused.getsockname()[1]}/0"


@pytest.fixture
def broker_that_is_down(nowhere: str) -> Iterator[None]:
    settings: Any = current_app.conf
    url, settings.broker_write_url = settings.broker_write_url, nowhere
    yield
    settings.broker_write_url = url


def test_livez_touches_nothing(client: Client) -> None:
    # Without the django_db mark a query would fail the test.
    response = client.get("/livez", headers={"host": "10.1.2.3"})

    assert response.status_code == HTTPStatus.OK
    assert response.content == b"ok"
    assert response["Cache-Control"] == "no-store"


async def test_livez_answers_async_servers(async_client: AsyncClient) -> None:
    response = await async_client.get("/livez")

    assert response.content == b"ok"


@pytest.mark.django_db(transaction=True)
def test_readyz_names_every_part(client: Client) -> None:
    response = client.get("/readyz", headers={"host": "10.1.2.3"})

    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "cache": "ok", "broker": "ok"},
    }
    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
async def test_readyz_answers_async_servers(async_client: AsyncClient) -> None:
    response = await async_client.get("/readyz")

    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker_that_is_down")
def test_readyz_names_the_part_that_is_down_and_no_secret(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        response = client.get("/readyz")

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json() == {
        "status": "unavailable",
        "checks": {"database": "ok", "cache": "ok", "broker": "unavailable"},
    }
    assert "not ready: broker" in caplog.text
    assert "secret" not in caplog.text


def test_the_cache_check_fails_without_a_cache(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cast("ValkeyCache", cache)._cache  # noqa: SLF001
    monkeypatch.setattr(client, "_servers", [nowhere])

    with pytest.raises(redis.ConnectionError):
        CHECKS["cache"]()


@pytest.mark.django_db(transaction=True)
def test_the_database_check_fails_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")

    with pytest.raises(Exception, match="no_such_database"):
        CHECKS["database"]()
