"""Queries that are compiled once, and then ask for one value after another.

    VERSIONS = Prepared(lambda pk: Article.objects.filter(pk=pk).values_list("updated_at", "slug"))
    rows = VERSIONS.rows(article.pk)

    BY_SLUG = PreparedRow(lambda slug: Article.objects.filter(slug=slug), str)
    article = BY_SLUG.first(slug)

As in Django, the router chooses the database for each call: it looks at the request, at the
transaction and at what has been written (`dovetail.database.replica`).

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

C = TypeVar("C")
M = TypeVar("M", bound=Model)

MARK = UUID(int=2**127 + 1)  # stands for the value in what is compiled; no UUIDv7 is like it
MARKS: dict[type, Any] = {
    UUID: MARK,
    str: "\N{REPLACEMENT CHARACTER}prepared",
    datetime: datetime.max.replace(tzinfo=UTC),
}


class _Compiled(Generic[C]):
    """What a query is compiled to, once for each database.

    Args:
        make: returns the query, as a queryset.
        compiled: compiles its `query` for the database with an alias.
    """

    def __init__(
        self, make: Callable[[], QuerySet[Any, Any]], compiled: Callable[[Any, str], C]
    ) -> None:
        self._make, self._compile = make, compiled
        self._by_alias: dict[str, C] = {}

    def get(self) -> tuple[str, C]:
        """Return where to read now, and what is compiled for it."""
        alias = self._rows.db
        if (compiled := self._by_alias.get(alias)) is None:
            # A clone, because compiling changes a query, and other threads may do it too. If they
            # do, they get the same; a lock would let them wait for each other during an outage.
            compiled = self._compile(self._rows.query.clone(), alias)
            self._by_alias[alias] = compiled
        return alias, compiled

    @cached_property
    def _rows(self) -> QuerySet[Any, Any]:
        return self._make()


class Prepared:
    """Finds what belongs to a UUID.

    Args:
        query: returns a `values_list()` for a UUID, of values that need no conversion from those of
            the database. Called once.
    """

    def __init__(self, query: Callable[[UUID], QuerySet[Any, Any]]) -> None:
        self._compiled = _Compiled(lambda: query(MARK), _statement)

    def rows(self, value: UUID) -> list[tuple[Any, ...]]:
        alias, (statement, parameters) = self._compiled.get()
        given = [value if parameter == MARK else parameter for parameter in parameters]
        with connections[alias].cursor() as cursor:
            cursor.execute(statement, given)
            return list(cursor.fetchall())


class PreparedRow(Generic[M]):
    """Finds one row by its values, and returns it as an instance of its model.

    Args:
        query: returns a queryset of the model for the values, without prefetches, that finds at
            most one row or is ordered. Called once.
        kinds: the type of each value, all of them different: those of `MARKS`.
    """

    def __init__(self, query: Callable[..., QuerySet[M]], *kinds: type) -> None:
        self.marks = [MARKS[kind] for kind in kinds]
        self._compiled = _Compiled(lambda: query(*self.marks)[:1], _compiler)

    def first(self, *values: Any) -> M | None:
        _, compiler = self._compiled.get()
        rows: Any = ModelIterable(_Given(compiler, self.marks, values))  # type: ignore[arg-type]
        return next(iter(rows), None)


def _statement(query: Any, alias: str) -> tuple[str, tuple[Any, ...]]:
    statement, parameters = query.get_compiler(using=alias).as_sql()
    return statement, tuple(parameters)


def _compiler(query: Any, alias: str) -> Any:
    compiler: Any = query.get_compiler(using=alias)
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
