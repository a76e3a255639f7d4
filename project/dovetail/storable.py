"""Text from outside that PostgreSQL cannot store is bad input, never a server error.

PostgreSQL stores neither NUL nor lone surrogates, no text longer than its column, and no time that
its offset takes out of range. Forms reject such text, but much arrives without a form: paths, query
strings, headers, cookies, JSON, the claims of an identity provider. A guard on every database
connection turns the errors of such text into `UnstorableText`, to which Django responds with status
400. `dovetail.http.paths` responds with 404 if the text is in the path.

    name = storable(claims["name"])  # replaces what cannot be stored
"""

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import DataError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# SQLSTATEs: too long for the column; not in the database's encoding; in JSON, a lone surrogate and
# \u0000; a time that is out of range, and one that its offset takes there.
STATES = {"22001", "22021", "22P02", "22P05", "22008", "22009"}


class UnstorableText(SuspiciousOperation, DataError):  # noqa: N818 - named like Django's own
    """Raised by a query with text that PostgreSQL cannot store. Django responds with 400."""


def is_storable(text: str) -> bool:
    return not UNSTORABLE.search(text)


def storable(value: Any) -> Any:
    """Return a JSON value with U+FFFD in place of the characters that PostgreSQL cannot store.

    Removing them could turn one name or address into another.
    """
    match value:
        case str():
            return UNSTORABLE.sub("\ufffd", value)
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable(key): storable(item) for key, item in value.items()}
        case _:
            return value


def guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let the queries of a connection raise `UnstorableText`."""
    if _execute not in connection.execute_wrappers:
        # First, because `connection.execute_wrapper(…)` removes the last one.
        connection.execute_wrappers.insert(0, _execute)


def _execute(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    try:
        return execute(sql, params, many, context)
    except DataError as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state in STATES or (state is None and "NUL" in str(error)):  # psycopg refuses NUL itself
            raise UnstorableText(str(error)) from error
        raise
    except UnicodeEncodeError as error:
        raise UnstorableText("Lone surrogates cannot be stored.") from error


def connect() -> None:
    """Guard all connections. Called once, when the apps are ready."""
    connection_created.connect(guard, dispatch_uid="dovetail.storable")
