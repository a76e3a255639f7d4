"""Pages name the migrations to apply, instead of failing for a missing column.

The kind: after `git pull` with a migration, a running `up` answered 500.
"""

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from dovetail.devtools.middleware import DueMigrationsMiddleware


@pytest.fixture
def unapplied(db: None) -> str:  # noqa: ARG001 - a fixture
    """Make a migration due again, as a new one is."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    return "sessions.0001_initial"


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("the page")


@pytest.mark.django_db
def test_due_migration_is_named_with_the_remedy_until_it_is_applied(
    unapplied: str, rf: RequestFactory
) -> None:
    middleware = DueMigrationsMiddleware(page)
    response = middleware(rf.get("/"))
    assert isinstance(response, HttpResponse)
    assert response.status_code == 503
    assert f"The database lacks {unapplied}: run" in response.text
    assert "uv run project/manage.py migrate" in response.text

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('sessions', '0001_initial', now())"
        )
    response = middleware(rf.get("/"))
    assert isinstance(response, HttpResponse)
    assert response.text == "the page"


@pytest.mark.django_db
def test_database_that_is_up_to_date_is_asked_once(
    rf: RequestFactory, django_assert_num_queries: object
) -> None:
    middleware = DueMigrationsMiddleware(page)
    middleware(rf.get("/"))
    assert callable(django_assert_num_queries)
    with django_assert_num_queries(0):
        assert middleware(rf.get("/")).status_code == 200  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
def test_asynchronous_requests_are_answered_too(rf: RequestFactory) -> None:
    async def async_page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("the page")

    middleware = DueMigrationsMiddleware(async_page)
    response = async_to_sync(middleware._respond)(rf.get("/"))  # noqa: SLF001 - what is awaited
    assert response.status_code == 200
    assert middleware.is_current


@pytest.mark.django_db(transaction=True)
def test_unavailable_database_is_left_to_the_page(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")
        response = DueMigrationsMiddleware(page)(rf.get("/"))
        assert isinstance(response, HttpResponse)
        assert response.text == "the page"
        connection.close()


def test_tests_run_without_it() -> None:
    assert not any("DueMigrations" in name for name in settings.MIDDLEWARE)
