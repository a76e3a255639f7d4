"""Which engine searches a table: decided by what its server has, and by SEARCH_ENGINE."""

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

LIFETIME = 60  # seconds; an index that was built meanwhile is used by then


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def matches(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        """Return the condition that a row is found."""

    def score(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        """Return how well a found row fits; a larger number fits better."""

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        """Return a piece of a field with its hits marked; `snippets.render` reads it."""

    def resembles(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        """Return the condition that a row is like these texts, given by field."""

    def resemblance(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        """Return how much a row is like these texts."""


@dataclass(frozen=True)
class Facts:
    """What a server has for the search of a table.

    Attributes:
        access_method: of ParadeDB's indexes (`bm25`, or `paradedb` from 0.25 on), if it is there.
        version: of pg_search.
        has_index: whether the table has such an index, completely built.
        has_document: whether the table has the column of PostgreSQL's own search.
    """

    access_method: str | None
    version: str | None
    has_index: bool
    has_document: bool


FACTS = """
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


def facts(connection: Any, table: str) -> Facts:
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [name, name, COLUMN])
        return Facts(*cursor.fetchone())


def engine_for(connection: Any, model: type[models.Model]) -> Engine:
    """Return the engine that searches a model's table on this connection.

    ParadeDB where its index is there, otherwise PostgreSQL's own search; what is missing is logged
    once a process.
    """
    table, wanted = model._meta.db_table, settings.SEARCH_ENGINE
    key = (connection.alias, connection.settings_dict["NAME"], table, wanted)
    known = _engines.get(key)
    if known and time.monotonic() < known[0]:
        return known[1]
    engine = _choose(facts(connection, table), key)
    _engines[key] = time.monotonic() + LIFETIME, engine
    return engine


def forget() -> None:
    """Look again at the next search: an index has been made or dropped."""
    _engines.clear()


def _choose(found: Facts, key: tuple[str, ...]) -> Engine:
    *_, table, wanted = key
    if found.has_index and wanted != Postgres.name:
        return ParadeDB()
    hint = "run `manage.py search_index --ensure`"
    if wanted == ParadeDB.name or (found.access_method and wanted != Postgres.name):
        _report(key, f"{table} has no index of ParadeDB, so PostgreSQL searches it: {hint}")
    if not found.has_document:
        _report((*key, COLUMN), f"{table} has no search index, so every search reads it: {hint}")
    return Postgres(stored=found.has_document)


def _report(key: tuple[str, ...], message: str) -> None:
    if key not in _reported:
        _reported.add(key)
        logger.warning(message)
