from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.users.models import User
from tests.factories import make_user


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


QueryCount = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def assert_queries() -> QueryCount:
    """Return a context manager that expects a number of queries.

    Savepoints do not count: most of them are there because a test runs in a transaction.
    """

    @contextmanager
    def expect(number: int) -> Iterator[None]:
        with CaptureQueriesContext(connection) as captured:
            yield
        asked = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
        assert len(asked) == number, "\n\n".join(asked)

    return expect


@pytest.fixture
def api() -> APIClient:
    """Return a client that sends JSON and is not signed in."""
    return APIClient()


@pytest.fixture
def author() -> User:
    return make_user("ada@example.org", display_name="Ada Lovelace")


@pytest.fixture
def as_author(author: User) -> APIClient:
    client = APIClient()
    client.force_login(author)
    return client
