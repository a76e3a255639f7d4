"""The connections of a few quick questions."""

import pytest
from django.db import OperationalError, connection

from dovetail.database import capacity

pytestmark = pytest.mark.django_db(transaction=True)


def test_questions_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "STATEMENT_TIMEOUT", 1)
    with (
        capacity.probe(connection.alias) as probe,
        probe.cursor() as cursor,
        pytest.raises(OperationalError, match="statement timeout"),
    ):
        cursor.execute("SELECT pg_sleep(30)")


def test_limit_of_questions_is_not_left_to_others() -> None:
    """Kind: PgBouncer's pools of transactions, which give a connection to the next client as it is.

    What a transaction sets ends with it, and what a session sets does not.
    """
    with capacity.probe() as probe, probe.cursor() as cursor:
        cursor.execute("ROLLBACK")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
