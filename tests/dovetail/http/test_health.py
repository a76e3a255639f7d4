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
def unreachable_url() -> str:
    """Return the URL of a port on which no server listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"redis://user:secret@127.0.0.1:{unused.getsockname()[1]}/0"


@pytest.fixture
def unavailable_broker(unreachable_url: str) -> Iterator[None]:
    settings: Any = current_app.conf
    url, settings.broker_write_url = settings.broker_write_url, unreachable_url
    yield
    settings.broker_write_url = url


def test_livez_queries_no_service(client: Client) -> None:
    # Without the django_db mark, a query fails the test.
    response = client.get("/livez", headers={"host": "10.1.2.3"})

    assert response.status_code == HTTPStatus.OK
    assert response.content == b"ok"
    assert response["Cache-Control"] == "no-store"


async def test_livez_answers_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/livez")

    assert response.content == b"ok"


@pytest.mark.django_db(transaction=True)
def test_readyz_reports_every_service(client: Client) -> None:
    response = client.get("/readyz", headers={"host": "10.1.2.3"})

    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "cache": "ok", "broker": "ok"},
    }
    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
async def test_readyz_answers_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/readyz")

    assert response.status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unavailable_broker")
def test_readyz_reports_an_unavailable_service_without_secrets(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        response = client.get("/readyz")

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json() == {
        "status": "unavailable",
        "checks": {"database": "ok", "cache": "ok", "broker": "unavailable"},
    }
    assert "Readiness check failed for broker; answering 503" in caplog.text
    assert "secret" not in caplog.text


def test_cache_check_fails_if_the_cache_is_unavailable(
    unreachable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cast("ValkeyCache", cache)._cache  # noqa: SLF001
    monkeypatch.setattr(client, "_servers", [unreachable_url])

    with pytest.raises(redis.ConnectionError):
        CHECKS["cache"]()


@pytest.mark.django_db(transaction=True)
def test_database_check_fails_if_the_database_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")

    with pytest.raises(Exception, match="no_such_database"):
        CHECKS["database"]()
