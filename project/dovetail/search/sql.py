"""SQL fragments with their parameters, and how to join them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Sql = tuple[str, list[Any]]


@dataclass(frozen=True)
class Columns:
    """A table and its columns as written in one statement.

    Attributes:
        table: the quoted name of the table.
        alias: its quoted alias in the statement.
        key: the primary key column.
        fields: the searched columns by field name.
    """

    table: str
    alias: str
    key: str
    fields: Mapping[str, str]


def joined(fragments: Iterable[Sql], operator: str) -> Sql:
    fragments = list(fragments)
    sql = f" {operator} ".join(sql for sql, _ in fragments)
    params = [param for _, params in fragments for param in params]
    return (sql if len(fragments) == 1 else f"({sql})"), params


def any_of(fragments: Iterable[Sql]) -> Sql:
    return joined(fragments, "OR")


def all_of(fragments: Iterable[Sql]) -> Sql:
    return joined(fragments, "AND")
