"""Figures from the columns that ParadeDB keeps in its index, without a look at the rows."""

import logging
from contextlib import nullcontext
from typing import Any

from django.db import DatabaseError, connections, models, transaction
from django.db.models import F

from dovetail.search.engine import engine_for
from dovetail.search.index import SearchIndex
from dovetail.search.paradedb import ParadeDB

logger = logging.getLogger(__name__)
_reported: set[str] = set()


class Everything(models.Expression):
    """True of every row, and in a form that makes ParadeDB answer from its index."""

    output_field = models.BooleanField()

    def __init__(self, key: Any = None) -> None:
        super().__init__()
        self.key = key or F("pk")

    def get_source_expressions(self) -> list[Any]:
        return [self.key]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.key,) = exprs

    def as_sql(self, compiler: Any, _connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.key)
        return f"{sql} @@@ pdb.all()", params


class Figures(models.Aggregate):
    """ParadeDB's aggregate function; its argument is a request like those of Elasticsearch."""

    function = "pdb.agg"
    template = "%(function)s(%(expressions)s::jsonb)"

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(
            models.Value(request, output_field=models.JSONField()), output_field=models.JSONField()
        )


def figures(
    rows: "models.QuerySet[Any]", field: str, request: dict[str, Any]
) -> dict[str, Any] | None:
    """Ask ParadeDB's index for figures.

    Args:
        rows: what to count, on one table.
        field: a field of it.
        request: an aggregation on that field, such as `{"terms": {"size": 10}}`.

    Returns:
        The answer as pg_search documents it, or None where only plain SQL can tell: on another
        engine, of a field that is not in the index, or of a query of another shape.
    """
    connection = connections[rows.db]
    column = _indexed_column(rows, field)
    if column is None or not isinstance(engine_for(connection, rows.model), ParadeDB):
        return None
    (kind, options), *_ = request.items()
    asked = Figures({kind: {"field": column, **options}})
    try:
        # A failure ends a transaction, but for what a savepoint holds.
        with transaction.atomic(using=rows.db) if connection.in_atomic_block else nullcontext():
            answer = rows.order_by().filter(Everything()).aggregate(figures=asked)["figures"]
    except DatabaseError as error:
        if kind not in _reported:
            _reported.add(kind)
            logger.warning("ParadeDB gives no %s (%s): counting with SQL", kind, error)
        return None
    return answer if isinstance(answer, dict) else None


def _indexed_column(rows: "models.QuerySet[Any]", field: str) -> str | None:
    index = next((i for i in rows.model._meta.indexes if isinstance(i, SearchIndex)), None)
    query = rows.query
    plain = not (query.is_sliced or query.distinct or query.combinator or query.group_by)
    if index is None or field not in index.columns or not plain or query.is_empty():
        return None
    if any(
        count for table, count in query.alias_refcount.items() if table != query.get_initial_alias()
    ):
        return None
    column: str = rows.model._meta.get_field(field).column
    return column


def field_of(rows: "models.QuerySet[Any]", name: str) -> Any:
    """Return a field of the table itself, None if it has no such field."""
    return next((field for field in rows.model._meta.concrete_fields if field.name == name), None)


def with_value(rows: "models.QuerySet[Any]", field: str) -> "models.QuerySet[Any]":
    """Leave out the rows whose field is null."""
    return rows.filter(**{f"{field}__isnull": False})
