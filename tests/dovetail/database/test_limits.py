"""Statements end in web processes and workers, and not in commands."""

from collections.abc import Iterator

import pytest
from celery.signals import worker_init
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from dovetail.database.limits import limit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Return the options of connections that are opened from now on, empty at first."""
    options: dict[str, str] = {}
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
    connections["default"].close()
    yield options
    connections["default"].close()


def shown(connection: BaseDatabaseWrapper, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        [value] = cursor.fetchone()
    return str(value)


def test_web_processes_are_limited(options: dict[str, str], settings: Settings) -> None:
    connection = connections["default"]
    assert shown(connection, "statement_timeout") == "0"  # in a command
    connection.close()
    settings.DATABASE_LIMITS = {"web": {"statement_timeout": 1, "lock_timeout": 0}}

    limit("web")
    limit("web")  # as the server does, and each of its workers

    assert options == {"options": "-c statement_timeout=1000"}
    with (
        connection.cursor() as cursor,
        pytest.raises(OperationalError, match="statement timeout"),
    ):
        cursor.execute("SELECT pg_sleep(30)")


def test_defaults(settings: Settings, options: dict[str, str]) -> None:
    del options
    limit("web")

    connection = connections["default"]
    assert shown(connection, "statement_timeout") == "15s"
    assert shown(connection, "idle_in_transaction_session_timeout") == "1min"
    assert settings.DATABASE_LIMITS["worker"]["statement_timeout"] == 240


def test_longest_limits_are_those_of_the_server(
    options: dict[str, str], settings: Settings
) -> None:
    """Kind: connections that all fail, because a parameter is more than PostgreSQL can count."""
    settings.DATABASE_LIMITS = {
        "web": {"statement_timeout": 2_147_483, "idle_in_transaction_session_timeout": 4 * 536_870}
    }

    limit("web")

    assert options["options"].startswith("-c statement_timeout=2147483000 ")
    assert shown(connections["default"], "statement_timeout") == "2147483s"
    assert shown(connections["default"], "idle_in_transaction_session_timeout") == "2147480s"


def test_workers_of_celery_are_limited(options: dict[str, str]) -> None:
    worker_init.send(sender=None)

    assert options["options"].startswith("-c statement_timeout=240000 ")


def test_options_of_the_url_win(options: dict[str, str]) -> None:
    options["options"] = "-c statement_timeout=2s -c work_mem=8MB"

    limit("web")

    assert shown(connections["default"], "statement_timeout") == "2s"
    assert shown(connections["default"], "work_mem") == "8MB"


def test_nothing_is_sent_without_limits(options: dict[str, str], settings: Settings) -> None:
    """PgBouncer refuses connections that begin with options."""
    settings.DATABASE_LIMITS = {"web": {"statement_timeout": 0}}

    limit("web")

    assert options == {}
