import uuid

import pytest
from django.test import RequestFactory

from apps.users.models import User
from dovetail.telemetry.exchange import Exchange


def exchange(path: str) -> Exchange:
    found = Exchange(path)
    found.request = RequestFactory().get(path)
    return found


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/articles/secret/", "/articles/<str:slug>/"),
        ("/", "/"),
        ("/secret/of/nothing/", ""),
    ],
)
def test_route_is_known_without_a_view(path: str, route: str) -> None:
    """Kind: middleware that answers before Django has looked for the view, and made-up paths."""
    assert exchange(path).route == route
    assert Exchange(path).route == route


def test_user_is_the_key_of_one_that_was_asked_for() -> None:
    """Kind: a query, which telemetry must not cause."""
    found = exchange("/")
    assert found.user_id == ""

    user = User(pk=uuid.UUID(int=7), email="ada@example.com")
    found.request._cached_user = user  # type: ignore[union-attr]  # noqa: SLF001 - as Django does
    assert found.user_id == str(uuid.UUID(int=7))
