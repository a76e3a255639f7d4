"""`SearchIndex`, for `Meta.indexes`: one migration for servers with and without pg_search."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from dovetail.search import analyzer, engine, paradedb, postgres
from dovetail.search.config import SearchConfig
from dovetail.search.sql import Columns

GIN_SUFFIX = "_gin"


class SearchIndex(models.Index):
    """Makes a model searchable with `SearchQuerySet`.

    A server with pg_search gets a ParadeDB index, any other PostgreSQL server a tsvector column
    with a GIN index. Soft-deleted rows are indexed as well, for a model with
    `all_objects = SearchManager(with_deleted=True)`;
    filtering them out by an indexed column costs nothing.

    Args:
        config: the searched fields and their weights.
        columns: the fields that searches filter, sort or count by.
        name: the name of the index; a table can have only one SearchIndex.
    """

    def __init__(self, config: SearchConfig, *, columns: Sequence[str] = (), name: str) -> None:
        self.config = config
        self.columns = tuple(columns)
        super().__init__(fields=[*config.fields, *self.columns], name=name)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        structure = {"config": self.config.structure(), "columns": list(self.columns)}
        return "dovetail.search.SearchIndex", (), structure | {"name": self.name}

    def clone(self) -> "SearchIndex":
        return SearchIndex(self.config, columns=self.columns, name=self.name)

    @property
    def gin_name(self) -> str:
        return f"{self.name}{GIN_SUFFIX}"

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **_: Any) -> Any:
        del using
        return ";\n".join(self.statements(model, schema_editor.connection))

    def remove_sql(self, model: Any, schema_editor: Any, **_: Any) -> Any:
        engine.clear_cache()
        quote = schema_editor.connection.ops.quote_name
        return (
            f"DROP INDEX IF EXISTS {quote(self.name)};\n"
            f"DROP INDEX IF EXISTS {quote(self.gin_name)};\n"
            f"ALTER TABLE {quote(model._meta.db_table)} DROP COLUMN IF EXISTS {postgres.COLUMN}"
        )

    def statements(self, model: Any, connection: Any, *, concurrently: bool = False) -> list[str]:
        """Return the SQL statements that create the index on this server.

        Args:
            model: the model, possibly from a migration state.
            connection: the connection to the server.
            concurrently: build the index without blocking writes, outside a transaction.

        Raises:
            ImproperlyConfigured: SEARCH_ENGINE is paradedb, but the extension is missing.
        """
        engine.clear_cache()
        found = engine.capabilities(connection, model._meta.db_table)
        if paradedb.ParadeDB.name == settings.SEARCH_ENGINE and not found.access_method:
            raise ImproperlyConfigured(
                "SEARCH_ENGINE is paradedb, but this database has no pg_search extension: run "
                "CREATE EXTENSION pg_search as a superuser, or set SEARCH_ENGINE to auto."
            )
        configuration_sql = self._configuration_sql()
        if found.access_method and postgres.Postgres.name != settings.SEARCH_ENGINE:
            return [*configuration_sql, self._paradedb_sql(model, connection, found, concurrently)]
        return [*configuration_sql, *self._postgres_sql(model, connection, concurrently)]

    def _paradedb_sql(
        self, model: Any, connection: Any, found: engine.Capabilities, concurrently: bool
    ) -> str:
        quote = connection.ops.quote_name
        options = f"'stemmer={self.config.language}', 'ascii_folding=true'"
        parts = [quote(model._meta.pk.column)]
        for name in self.config.fields:
            column = quote(model._meta.get_field(name).column)
            parts.append(f"({column}::pdb.unicode_words({options}))")
        for name in self.config.autocomplete:
            column = quote(model._meta.get_field(name).column)
            alias = f"'alias={name}_{paradedb.UNSTEMMED_SUFFIX}'"
            parts.append(f"({column}::pdb.unicode_words('ascii_folding=true', {alias}))")
        for name in self.columns:
            field = model._meta.get_field(name)
            is_text = isinstance(field, models.CharField | models.TextField)
            column = quote(field.column)
            parts.append(f"({column}::pdb.literal)" if is_text else column)
        return (
            f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{quote(self.name)} "
            f"ON {quote(model._meta.db_table)} USING {found.access_method} ({', '.join(parts)}) "
            # By default, up to 1000 rows wait for their place in the index and every search
            # tokenizes them again: 20 times slower searches for writes that are 0.6 ms faster.
            f"WITH (key_field='{model._meta.pk.column}', mutable_segment_rows=0)"
        )

    def _postgres_sql(self, model: Any, connection: Any, concurrently: bool) -> list[str]:
        quote = connection.ops.quote_name
        table = quote(model._meta.db_table)
        fields = {name: quote(model._meta.get_field(name).column) for name in self.config.fields}
        columns = Columns(table, alias=table, key=quote(model._meta.pk.column), fields=fields)
        document = postgres.document(self.config, columns)
        add_column = (
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {postgres.COLUMN} tsvector "
            f"GENERATED ALWAYS AS {document} STORED"
        )
        create_index = (
            f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}IF NOT EXISTS "
            f"{quote(self.gin_name)} ON {table} USING gin ({postgres.COLUMN})"
        )
        return [add_column, create_index]

    def _configuration_sql(self) -> list[str]:
        """Return what creates the text search configuration and the tokenizer function.

        Servers with ParadeDB get them too: if its index is ever missing, searches still work,
        though slowly.
        """
        configuration = postgres.configuration(self.config.language)
        return [
            _TOKENIZER_SQL,
            f"""DO $$ BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_ts_config WHERE cfgname = '{configuration}' AND pg_ts_config_is_visible(oid)
  ) THEN
    CREATE TEXT SEARCH DICTIONARY {configuration}_stem
      (TEMPLATE = snowball, LANGUAGE = {self.config.language});
    CREATE TEXT SEARCH CONFIGURATION {configuration} (COPY = simple);
    ALTER TEXT SEARCH CONFIGURATION {configuration}
      ALTER MAPPING REPLACE simple WITH {configuration}_stem;
  END IF;
END $$""",
        ]


def _tokenizer_sql() -> str:
    """Return what creates the SQL version of `analyzer.tokenize`; ASCII text takes a shortcut.

    The shortcut leaves lowercasing to `to_tsvector`. Other text needs `lower`, because with the C
    locale `to_tsvector` lowercases only ASCII.
    """
    plain = "value"
    for apostrophe in analyzer.APOSTROPHES:
        escaped = apostrophe.replace("'", "''")
        plain = f"replace({plain}, '{escaped}', '')"
    separated = f"regexp_replace({plain}, '[{analyzer.SEPARATORS}]+', ' ', 'g')"
    decomposed = f"normalize({separated}, NFD)"
    bare = f"regexp_replace({decomposed}, '{analyzer.ACCENTS}', '\\1', 'g')"
    folded = f"normalize({bare}, NFC)"
    for letter, replacement in analyzer.LETTERS.items():
        folded = f"replace({folded}, '{letter}', '{replacement}')"
    return f"""CREATE OR REPLACE FUNCTION {postgres.FUNCTION}(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = length(value) THEN
  {separated}
ELSE
  lower(regexp_replace({folded}, '([{analyzer.UNSPACED}])', ' \\1 ', 'g'))
END"""


_TOKENIZER_SQL = _tokenizer_sql()


def searchable_models() -> Iterator[tuple[type[models.Model], SearchIndex]]:
    for model in apps.get_models():
        for index in model._meta.indexes:
            if isinstance(index, SearchIndex):
                yield model, index


def index_of(model: type[models.Model]) -> SearchIndex:
    """Return the search index of a model.

    Raises:
        TypeError: the model has no SearchIndex.
    """
    for index in model._meta.indexes:
        if isinstance(index, SearchIndex):
            return index
    raise TypeError(
        f"{model.__name__} cannot be searched: it has no SearchIndex; add one to Meta.indexes."
    )
