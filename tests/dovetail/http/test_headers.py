from http import HTTPStatus

import pytest
from django.test import Client
from django.test.client import AsyncClient

from dovetail.http.headers import MAX_HEADER


@pytest.mark.parametrize("name", ["user-agent", "cookie", "accept", "x-anything", "host"])
def test_overlong_header_is_refused(client: Client, name: str) -> None:
    response = client.get("/", headers={name: "a" * (MAX_HEADER + 1)})

    assert response.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    assert response.text == "A header of the request is longer than 16,384 characters.\n"


def test_api_refuses_it_as_a_problem(client: Client) -> None:
    response = client.get("/api/v1/articles/", headers={"cookie": "a" * (MAX_HEADER + 1)})

    assert response.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "request_header_fields_too_large"


async def test_overlong_header_is_refused_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/", headers={"cookie": "a" * (MAX_HEADER + 1)})

    assert response.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.django_db
def test_longest_header_is_allowed(client: Client) -> None:
    response = client.get("/accounts/login/", headers={"user-agent": "a" * MAX_HEADER})

    assert response.status_code == HTTPStatus.OK
