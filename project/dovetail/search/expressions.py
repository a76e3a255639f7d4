"""Searches as Django expressions for any QuerySet; the connection's engine writes the SQL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import models
from django.db.models import F

from dovetail.search.config import SearchConfig
from dovetail.search.engine import Engine, engine_for
from dovetail.search.query import Query
from dovetail.search.snippets import SnippetField
from dovetail.search.sql import Columns, Sql


class SearchExpression(models.Expression):
    """Base class that resolves the searched columns and lets the engine write the SQL."""

    def __init__(self, config: SearchConfig, output_field: "models.Field[Any, Any]") -> None:
        super().__init__(output_field=output_field)
        self.config = config
        self.columns: Sequence[Any] = [F(name) for name in ("pk", *config.fields)]

    def get_source_expressions(self) -> list[Any]:
        return list(self.columns)

    def set_source_expressions(self, exprs: Iterable[Any]) -> None:
        self.columns = list(exprs)

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        raise NotImplementedError

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        key, *_ = self.columns
        key_sql, *field_sql = [compiler.compile(column)[0] for column in self.columns]
        names = self.config.fields
        columns = Columns(
            table=connection.ops.quote_name(key.target.model._meta.db_table),
            alias=compiler.quote_name_unless_alias(key.alias),
            key=key_sql,
            fields=dict(zip(names, field_sql, strict=True)),
        )
        sql, params = self.sql(engine_for(connection, key.target.model), columns)
        return sql, tuple(params)


class Matches(SearchExpression):
    def __init__(self, config: SearchConfig, query: Query) -> None:
        super().__init__(config, models.BooleanField())
        self.query = query

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        return engine.matches(self.query, self.config, columns)


class Score(SearchExpression):
    def __init__(self, config: SearchConfig, query: Query) -> None:
        super().__init__(config, models.FloatField())
        self.query = query

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        return engine.score(self.query, self.config, columns)


class Snippet(SearchExpression):
    """An excerpt of a field as safe HTML, with the hits in `<mark>`.

    Args:
        config: the search configuration of the model.
        query: the query whose hits are marked.
        field: the name of a searched field.
        length: the approximate length in characters.
    """

    def __init__(self, config: SearchConfig, query: Query, field: str, length: int) -> None:
        super().__init__(config, SnippetField())
        self.query, self.name, self.length = query, field, length

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        return engine.snippet(self.name, self.length, self.query, self.config, columns)


class MoreLikeThis(SearchExpression):
    def __init__(self, config: SearchConfig, texts: Mapping[str, str]) -> None:
        super().__init__(config, models.BooleanField())
        self.texts = texts

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        return engine.more_like_this(self.texts, self.config, columns)


class MoreLikeThisScore(SearchExpression):
    def __init__(self, config: SearchConfig, texts: Mapping[str, str]) -> None:
        super().__init__(config, models.FloatField())
        self.texts = texts

    def sql(self, engine: Engine, columns: Columns) -> Sql:
        return engine.more_like_this_score(self.texts, self.config, columns)
