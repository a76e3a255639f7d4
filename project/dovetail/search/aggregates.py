"""Aggregations computed by ParadeDB from the columns in its index, without reading the table."""

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


class MatchAll(models.Expression):
    """A condition that every row meets, which makes ParadeDB answer from its index."""

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


class PdbAgg(models.Aggregate):
    """ParadeDB's aggregate function; the request has the format of Elasticsearch aggregations."""

    function = "pdb.agg"
    template = "%(function)s(%(expressions)s::jsonb)"

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(
            models.Value(request, output_field=models.JSONField()), output_field=models.JSONField()
        )


def aggregate_in_index(
    rows: "models.QuerySet[Any]", field: str, request: dict[str, Any]
) -> dict[str, Any] | None:
    """Return an aggregation over one field, computed by ParadeDB's index.

    Args:
        rows: the rows to aggregate, from one table.
        field: the name of a field of that table.
        request: the aggregation, such as `{"terms": {"size": 10}}`.

    Returns:
        The result in pg_search's format, or None if only plain SQL can compute it: another engine
        is in use, the field is not in the index, or the query has an unsupported shape.
    """
    connection = connections[rows.db]
    column = _indexed_column(rows, field)
    if column is None or not isinstance(engine_for(connection, rows.model), ParadeDB):
        return None
    (kind, options), *_ = request.items()
    aggregate = PdbAgg({kind: {"field": column, **options}})
    try:
        # Without a savepoint, a database error would abort the surrounding transaction.
        with transaction.atomic(using=rows.db) if connection.in_atomic_block else nullcontext():
            result = rows.order_by().filter(MatchAll()).aggregate(result=aggregate)["result"]
    except DatabaseError as error:
        if kind not in _reported:
            _reported.add(kind)
            logger.warning(
                "ParadeDB failed to compute a %s aggregation (%s); counting with SQL instead",
                kind,
                error,
            )
        return None
    return result if isinstance(result, dict) else None


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


def local_field(rows: "models.QuerySet[Any]", name: str) -> Any:
    """Return the model's own field with this name, or None if there is none."""
    return next((field for field in rows.model._meta.concrete_fields if field.name == name), None)


def without_nulls(rows: "models.QuerySet[Any]", field: str) -> "models.QuerySet[Any]":
    return rows.filter(**{f"{field}__isnull": False})
