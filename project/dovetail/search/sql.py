"""Pieces of SQL with their parameters, and how they are joined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Sql = tuple[str, list[Any]]


@dataclass(frozen=True)
class Columns:
    """How the columns of a table are written in a statement.

    Attributes:
        table: its name, quoted.
        alias: its name in this statement, quoted.
        key: its primary key.
        fields: the searched columns by field name.
    """

    table: str
    alias: str
    key: str
    fields: Mapping[str, str]


def joined(pieces: Iterable[Sql], operator: str) -> Sql:
    pieces = list(pieces)
    sql = f" {operator} ".join(sql for sql, _ in pieces)
    params = [param for _, params in pieces for param in params]
    return (sql if len(pieces) == 1 else f"({sql})"), params


def any_of(pieces: Iterable[Sql]) -> Sql:
    return joined(pieces, "OR")


def every(pieces: Iterable[Sql]) -> Sql:
    return joined(pieces, "AND")
