"""Handles unique values that another transaction takes between a check and the write.

Looking for a free value and then writing it is never safe on its own: two requests at once find the
same value free. The database decides, and the loser tries again:

    retry_on_conflict(write, using="default", constraint="article_slug_is_unique")
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

T = TypeVar("T")

UNIQUE_VIOLATION = "23505"  # a SQLSTATE


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the unique constraint or index that an error is about; None for other errors."""
    cause: Any = error.__cause__
    if getattr(cause, "sqlstate", None) != UNIQUE_VIOLATION:
        return None
    return str(cause.diag.constraint_name)


def retry_on_conflict(
    write: Callable[[int], T], *, using: str | None, constraint: str, attempts: int = 8
) -> T:
    """Return the result of a write, repeated while others take the unique value that it chose.

    Args:
        write: chooses a value and writes it; receives the number of the attempt, from 0. Each call
            runs in a savepoint, so that a conflict leaves an outer transaction usable.
        using: the alias of the database.
        constraint: the name of the unique constraint. Violations of others are raised at once.
        attempts: how often to call `write` before the conflict is raised.
    """
    for attempt in range(attempts):
        try:
            with transaction.atomic(using=using):
                return write(attempt)
        except IntegrityError as error:
            if violated_constraint(error) != constraint or attempt == attempts - 1:
                raise
    raise AssertionError("attempts must be positive")
