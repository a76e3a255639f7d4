"""Parameters of the query string that are not as the schema says."""

from http import HTTPStatus

import pytest
from rest_framework.test import APIClient

from tests.factories import make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("author=", "author"),
        ("published_after=", "published_after"),
        ("fields=", "fields"),
        ("fields=id,,title", "fields"),
        ("expand=", "expand"),
    ],
)
def test_empty_parameter_is_refused(query: str, parameter: str) -> None:
    """Kind: a client whose variable is empty gets all rows, or rows without members."""
    answer = APIClient().get(f"{LIST}?{query}")

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    [fault] = answer.json()["errors"]
    assert fault["parameter"] == parameter


def test_method_that_does_not_exist_is_refused_before_its_parameters() -> None:
    client = APIClient()
    client.force_login(make_user())

    answer = client.patch(f"{LIST}?author=x")

    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
