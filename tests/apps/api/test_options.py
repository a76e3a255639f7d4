"""What clients may ask of any endpoint: which methods it has."""

from http import HTTPStatus

import pytest
from rest_framework.test import APIClient

from tests.apps.api.test_rights import ENDPOINTS, address
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "state"),
    sorted({(name, next(iter(states))) for (name, _), states in ENDPOINTS.items()}),
)
def test_says_which_methods_there_are(name: str, state: str) -> None:
    """Kind: a server error, since the description of a body fails where there is none."""
    person = make_user()
    client = APIClient()
    client.force_login(person)

    answer = client.options(address(name, state, person))

    assert answer.status_code == HTTPStatus.OK, answer.content
    methods = {method.upper() for endpoint, method in ENDPOINTS if endpoint == name}
    assert methods <= set(answer["Allow"].split(", "))
