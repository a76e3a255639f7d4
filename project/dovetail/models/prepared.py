"""A query that is compiled once, and then asks for one UUID after another.

    VERSIONS = Prepared(lambda pk: Article.objects.filter(pk=pk).values_list("updated_at", "slug"))
    rows = VERSIONS.rows(article.pk)

Own code because Django compiles a query each time: for a short one, that takes several times as
long as to send it and to read the answer.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet

MARK = UUID(int=2**127 + 1)  # stands for the value in what is compiled; no UUIDv7 is like it


class Prepared:
    """Finds what belongs to a UUID.

    Args:
        query: returns a `values_list()` for a UUID, of values that need no conversion from those of
            the database. Called once.
    """

    def __init__(self, query: Callable[[UUID], QuerySet[Any, Any]]) -> None:
        self.query = query

    def rows(self, value: UUID) -> list[tuple[Any, ...]]:
        alias, statement, parameters = self._compiled
        given = [value if parameter == MARK else parameter for parameter in parameters]
        with connections[alias].cursor() as cursor:
            cursor.execute(statement, given)
            return list(cursor.fetchall())

    @cached_property
    def _compiled(self) -> tuple[str, str, tuple[Any, ...]]:
        rows = self.query(MARK)
        statement, parameters = rows.query.sql_with_params()
        return rows.db, statement, parameters
