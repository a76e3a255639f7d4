from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.template.defaultfilters import filesizeformat

from dovetail.search import SearchIndex, engine
from dovetail.search.extension import create_extension
from dovetail.search.index import searchable_models

STATES = """
SELECT relname, indisvalid, pg_relation_size(pg_class.oid),
  EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = pg_class.oid)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass(%s) AND relname ~ %s
"""


@dataclass(frozen=True)
class State:
    """An index on the server; an interrupted rebuild leaves one named `<name>_ccnew` behind."""

    name: str
    is_valid: bool
    size: int
    is_building: bool

    def __str__(self) -> str:
        if self.is_building:
            return "is being built"
        if not self.is_valid:
            return "is invalid and not used: run `manage.py search_index --ensure`"
        return f"ready, {filesizeformat(self.size)}"


class Command(BaseCommand):
    help = "Shows, creates or rebuilds the search indexes while the application keeps running."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=list(connections))
        actions = parser.add_mutually_exclusive_group(required=True)
        actions.add_argument(
            "--status",
            action="store_true",
            help="show each model's engine and index; exit with 1 if one is missing or invalid",
        )
        actions.add_argument(
            "--ensure",
            action="store_true",
            help="create the indexes that this server supports and lacks, as after a restore",
        )
        actions.add_argument("--rebuild", action="store_true", help="rebuild all search indexes")

    def handle(self, *_: Any, **options: Any) -> None:
        self.connection = connections[options["database"]]
        if options["ensure"]:
            create_extension(self.connection)
        missing = 0
        for model, index in searchable_models():
            if options["ensure"]:
                self.ensure(model, index)
            elif options["rebuild"]:
                self.rebuild(model, index)
            missing += not self.report(model, index)
        if missing:
            raise CommandError(
                "A search index is missing or invalid: run `manage.py search_index --ensure`."
            )

    def report(self, model: type[models.Model], index: SearchIndex) -> bool:
        """Print a model's engine and index; return whether the index is usable."""
        chosen, states = self.target(model, index), self.states(model, index)
        state = states.pop(chosen, None)
        usable = state is not None and state.is_valid
        style = self.style.SUCCESS if usable else self.style.ERROR
        by = "ParadeDB" if chosen == index.name else "PostgreSQL"
        self.stdout.write(style(f"{model._meta.label}: {by}, {chosen} {state or 'is missing'}"))
        for other in states.values():
            self.stdout.write(f"  not in use: {other.name} {other}")
        return usable

    def ensure(self, model: type[models.Model], index: SearchIndex) -> None:
        states = self.states(model, index)
        for state in states.values():
            if not state.is_valid and not state.is_building:
                self.drop(state.name)
        wanted = states.get(self.target(model, index))
        if wanted is None or not (wanted.is_valid or wanted.is_building):
            self.run(*index.statements(model, self.connection, concurrently=self.concurrently))
        engine.clear_cache()

    def rebuild(self, model: type[models.Model], index: SearchIndex) -> None:
        for state in self.states(model, index).values():
            if state.name not in {index.name, index.gin_name}:
                self.drop(state.name)
            elif not state.is_building:
                how = "CONCURRENTLY " if self.concurrently else ""
                self.run(f"REINDEX INDEX {how}{self.connection.ops.quote_name(state.name)}")

    def target(self, model: type[models.Model], index: SearchIndex) -> str:
        """Return the name of the index that searches of the model should use on this server."""
        found = engine.capabilities(self.connection, model._meta.db_table)
        native = not found.access_method or settings.SEARCH_ENGINE == "postgres"
        return index.gin_name if native else index.name

    def states(self, model: type[models.Model], index: SearchIndex) -> dict[str, State]:
        table = self.connection.ops.quote_name(model._meta.db_table)
        pattern = f"^({index.name}|{index.gin_name})(_cc(new|old)[0-9]*)?$"
        with self.connection.cursor() as cursor:
            cursor.execute(STATES, [table, pattern])
            return {row[0]: State(*row) for row in cursor.fetchall()}

    def drop(self, name: str) -> None:
        how = "CONCURRENTLY " if self.concurrently else ""
        self.run(f"DROP INDEX {how}{self.connection.ops.quote_name(name)}")

    def run(self, *statements: str) -> None:
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @property
    def concurrently(self) -> bool:
        """Whether to work without blocking writes, which PostgreSQL can't do in a transaction."""
        return not self.connection.in_atomic_block
