"""The index behind a search, in `Meta.indexes`: one migration for every server."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from dovetail.search import engine, paradedb, postgres, words
from dovetail.search.config import SearchConfig
from dovetail.search.sql import Columns

GIN_SUFFIX = "_gin"


class SearchIndex(models.Index):
    """Makes a model searchable with `SearchQuerySet`.

    The server that runs the migration decides: ParadeDB gets its index, any other PostgreSQL a
    stored column of words with a GIN index. All rows are in it, deleted ones too: a condition on
    an indexed column costs nothing, and `all_objects` is searched as well.

    Args:
        config: what is searched.
        columns: the fields by which a search is filtered, ordered or counted.
        name: of the index; a table has one such index.
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
        engine.forget()
        quote = schema_editor.connection.ops.quote_name
        return (
            f"DROP INDEX IF EXISTS {quote(self.name)};\n"
            f"DROP INDEX IF EXISTS {quote(self.gin_name)};\n"
            f"ALTER TABLE {quote(model._meta.db_table)} DROP COLUMN IF EXISTS {postgres.COLUMN}"
        )

    def statements(self, model: Any, connection: Any, *, concurrently: bool = False) -> list[str]:
        """Return what creates the index on this server.

        Args:
            model: its model, of any state.
            connection: to the server.
            concurrently: let the table be written meanwhile; then no transaction may be open.

        Raises:
            ImproperlyConfigured: SEARCH_ENGINE asks for ParadeDB and the server has none.
        """
        engine.forget()
        found = engine.facts(connection, model._meta.db_table)
        if paradedb.ParadeDB.name == settings.SEARCH_ENGINE and not found.access_method:
            raise ImproperlyConfigured(
                "SEARCH_ENGINE is paradedb, but this database has no pg_search extension: let a "
                "superuser run CREATE EXTENSION pg_search, or set SEARCH_ENGINE to auto."
            )
        words_sql = self._words_sql()
        if found.access_method and postgres.Postgres.name != settings.SEARCH_ENGINE:
            return [*words_sql, self._paradedb_sql(model, connection, found, concurrently)]
        return [*words_sql, *self._postgres_sql(model, connection, concurrently)]

    def _paradedb_sql(
        self, model: Any, connection: Any, found: engine.Facts, concurrently: bool
    ) -> str:
        quote = connection.ops.quote_name
        stems = f"'stemmer={self.config.language}', 'ascii_folding=true'"
        parts = [quote(model._meta.pk.column)]
        for name in self.config.fields:
            column = quote(model._meta.get_field(name).column)
            parts.append(f"({column}::pdb.unicode_words({stems}))")
        for name in self.config.autocomplete:
            column = quote(model._meta.get_field(name).column)
            alias = f"'alias={name}_{paradedb.ALIAS}'"
            parts.append(f"({column}::pdb.unicode_words('ascii_folding=true', {alias}))")
        for name in self.columns:
            field = model._meta.get_field(name)
            is_text = isinstance(field, models.CharField | models.TextField)
            column = quote(field.column)
            parts.append(f"({column}::pdb.literal)" if is_text else column)
        return (
            f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{quote(self.name)} "
            f"ON {quote(model._meta.db_table)} USING {found.access_method} ({', '.join(parts)}) "
            # By default up to 1000 rows wait for their place in the index, and every search reads
            # and splits them anew: that is twenty times slower, and a write is half a millisecond
            # faster.
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

    def _words_sql(self) -> list[str]:
        """Return what PostgreSQL's own search stands on; it is there with ParadeDB as well.

        Should ParadeDB's index be missing one day, the same searches still work, though slowly.
        """
        configuration = postgres.configuration(self.config.language)
        return [
            _FUNCTION,
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


def _words_function() -> str:
    """Return `words.split` in SQL; text in ASCII, as most is, takes only its first step.

    `to_tsvector` makes capitals small too, but in a database of the locale C only those of ASCII.
    """
    plain = "value"
    for apostrophe in words.APOSTROPHES:
        escaped = apostrophe.replace("'", "''")
        plain = f"replace({plain}, '{escaped}', '')"
    separated = f"regexp_replace({plain}, '[{words.SEPARATORS}]+', ' ', 'g')"
    decomposed = f"normalize({separated}, NFD)"
    bare = f"regexp_replace({decomposed}, '{words.ACCENTS}', '\\1', 'g')"
    folded = f"normalize({bare}, NFC)"
    for letter, replacement in words.LETTERS.items():
        folded = f"replace({folded}, '{letter}', '{replacement}')"
    return f"""CREATE OR REPLACE FUNCTION {postgres.FUNCTION}(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = length(value) THEN
  {separated}
ELSE
  lower(regexp_replace({folded}, '([{words.SINGLES}])', ' \\1 ', 'g'))
END"""


_FUNCTION = _words_function()


def searchable_models() -> Iterator[tuple[type[models.Model], SearchIndex]]:
    for model in apps.get_models():
        for index in model._meta.indexes:
            if isinstance(index, SearchIndex):
                yield model, index


def index_of(model: type[models.Model]) -> SearchIndex:
    """Return the search index of a model.

    Raises:
        TypeError: it has none.
    """
    for index in model._meta.indexes:
        if isinstance(index, SearchIndex):
            return index
    raise TypeError(f"{model.__name__} cannot be searched: it has no SearchIndex in Meta.indexes.")
