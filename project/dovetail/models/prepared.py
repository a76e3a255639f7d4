"""Queries that are compiled once, and then ask for one value after another.

    VERSIONS = Prepared(lambda pk: Article.objects.filter(pk=pk).values_list("updated_at", "slug"))
    rows = VERSIONS.rows(article.pk)

    BY_SLUG = PreparedRow(lambda slug: Article.objects.filter(slug=slug), str)
    article = BY_SLUG.first(slug)

Own code because Django compiles a query each time: for a short one, that takes several times as
long as to send it and to read the answer.
"""

from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=Model)

MARK = UUID(int=2**127 + 1)  # stands for the value in what is compiled; no UUIDv7 is like it
MARKS: dict[type, Any] = {
    UUID: MARK,
    str: "\N{REPLACEMENT CHARACTER}prepared",
    datetime: datetime.max.replace(tzinfo=UTC),
}


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


class PreparedRow(Generic[M]):
    """Finds one row by its values, and returns it as an instance of its model.

    Args:
        query: returns a queryset of the model for the values, without prefetches, that finds at
            most one row or is ordered. Called once.
        kinds: the type of each value, all of them different: those of `MARKS`.
    """

    def __init__(self, query: Callable[..., QuerySet[M]], *kinds: type) -> None:
        self.query = query
        self.marks = [MARKS[kind] for kind in kinds]

    def first(self, *values: Any) -> M | None:
        rows: Any = ModelIterable(_Given(self._compiler, self.marks, values))  # type: ignore[arg-type]
        return next(iter(rows), None)

    @cached_property
    def _compiler(self) -> Any:
        queryset = self.query(*self.marks)[:1]
        compiler: Any = queryset.query.get_compiler(using=queryset.db)
        compiler.compiled = compiler.as_sql()
        return compiler


class _Given:
    """What `ModelIterable` needs of a queryset: the compiled query with some values in it."""

    def __init__(self, compiler: Any, marks: list[Any], values: tuple[Any, ...]) -> None:
        statement, parameters = compiler.compiled
        given = dict(zip(marks, values, strict=True))
        parameters = [given.get(parameter, parameter) for parameter in parameters]
        self.db = compiler.using
        self.query = self
        self._known_related_objects: dict[Any, Any] = {}
        self._compiler = copy(compiler)
        self._compiler.connection = connections[self.db]  # that of this thread
        self._compiler.as_sql = lambda: (statement, parameters)

    def get_compiler(self, *, using: str) -> Any:
        del using
        return self._compiler
