"""Selection of the engine that searches a table, by the server's capabilities and SEARCH_ENGINE."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.db import models

from dovetail.search.config import SearchConfig
from dovetail.search.paradedb import ParadeDB
from dovetail.search.postgres import COLUMN, Postgres
from dovetail.search.query import Query
from dovetail.search.sql import Columns, Sql

logger = logging.getLogger(__name__)

CACHE_SECONDS = 60  # after which a process notices a new index


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def matches(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        """Return the condition that a row matches the query."""

    def score(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        """Return the relevance of a matching row; higher is better."""

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        """Return an excerpt of a field with its hits marked, as input for `snippets.render`."""

    def more_like_this(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        """Return the condition that a row resembles these texts, given by field."""

    def more_like_this_score(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        """Return how much a row resembles these texts; higher is better."""


@dataclass(frozen=True)
class Capabilities:
    """What a server and a table support.

    Attributes:
        access_method: ParadeDB's index access method (`bm25`, or `paradedb` from 0.25 on), or None
            if the extension is missing.
        version: the version of pg_search, or None.
        has_index: whether the table has a valid ParadeDB index.
        has_document: whether the table has the column for PostgreSQL full-text search.
    """

    access_method: str | None
    version: str | None
    has_index: bool
    has_document: bool


CAPABILITIES_SQL = """
SELECT
  (SELECT amname FROM pg_am WHERE amname IN ('bm25', 'paradedb')
    ORDER BY amname = 'paradedb' DESC LIMIT 1),
  (SELECT extversion FROM pg_extension WHERE extname = 'pg_search'),
  EXISTS (
    SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE indrelid = to_regclass(%s) AND indisvalid AND amname IN ('bm25', 'paradedb')),
  EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped)
"""

_engines: dict[tuple[str, ...], tuple[float, Engine]] = {}
_reported: set[tuple[str, ...]] = set()


def capabilities(connection: Any, table: str) -> Capabilities:
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(CAPABILITIES_SQL, [name, name, COLUMN])
        return Capabilities(*cursor.fetchone())


def engine_for(connection: Any, model: type[models.Model]) -> Engine:
    """Return the engine that searches a model's table on this connection.

    That is ParadeDB if the table has its index, otherwise PostgreSQL full-text search. A missing
    index is logged once per process.
    """
    table, setting = model._meta.db_table, settings.SEARCH_ENGINE
    key = (connection.alias, connection.settings_dict["NAME"], table, setting)
    cached = _engines.get(key)
    if cached and time.monotonic() < cached[0]:
        return cached[1]
    engine = _choose(capabilities(connection, table), key)
    _engines[key] = time.monotonic() + CACHE_SECONDS, engine
    return engine


def clear_cache() -> None:
    """Make the next search look for indexes again, after one was created or dropped."""
    _engines.clear()


def _choose(found: Capabilities, key: tuple[str, ...]) -> Engine:
    *_, table, setting = key
    if found.has_index and setting != Postgres.name:
        return ParadeDB()
    if setting == ParadeDB.name or (found.access_method and setting != Postgres.name):
        _warn_once(
            key,
            table,
            "Table %s has no ParadeDB index; using PostgreSQL full-text search until "
            "`manage.py search_index --ensure` creates it",
        )
    if not found.has_document:
        _warn_once(
            (*key, COLUMN),
            table,
            "Table %s has no search index; every search reads the whole table until "
            "`manage.py search_index --ensure` creates one",
        )
    return Postgres(stored=found.has_document)


def _warn_once(key: tuple[str, ...], table: str, message: str) -> None:
    if key not in _reported:
        _reported.add(key)
        logger.warning(message, table)
