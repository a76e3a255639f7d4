"""The database that a backup is restored into: what is in it, and how to empty it."""

import time
from typing import Any

import psycopg
from django.db.migrations.loader import MigrationLoader

from dovetail.backups.database import OWN, SCHEMAS
from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import Manifest

LEAVING = 2  # seconds that the server may take to end a connection
FIRST_OID = 16384  # of what a user creates; lower ones are those of PostgreSQL itself
DERIVED = "pg_search"  # `manage.py search_index --ensure` creates it, with its indexes, if it can

RELATIONS = f"""
SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {SCHEMAS}
  AND {OWN.format(catalog="pg_class", alias="c")}
"""  # noqa: S608 - constants
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# All but what belongs to extensions, and the schemas that have one. CASCADE takes the rest along.
EMPTY = f"""
DO $empty$ DECLARE statements text[]; statement text; BEGIN
  -- What may run at the drops of others comes first.
  statements := ARRAY(
    SELECT format('DROP EVENT TRIGGER IF EXISTS %I CASCADE', evtname) FROM pg_event_trigger AS c
    WHERE {OWN.format(catalog="pg_event_trigger", alias="c")}
  ) || ARRAY(
    SELECT format('DROP CAST IF EXISTS (%s AS %s) CASCADE', castsource::regtype,
      casttarget::regtype)
    FROM pg_cast AS c
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_cast", alias="c")}
  ) || ARRAY(
    SELECT format('DROP OPERATOR CLASS IF EXISTS %I.%I USING %I CASCADE', nspname, opcname, amname)
    FROM pg_opclass AS c JOIN pg_namespace AS n ON n.oid = c.opcnamespace
    JOIN pg_am AS a ON a.oid = c.opcmethod
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_opclass", alias="c")}
  ) || ARRAY(
    SELECT format('DROP OPERATOR FAMILY IF EXISTS %I.%I USING %I CASCADE', nspname, opfname, amname)
    FROM pg_opfamily AS c JOIN pg_namespace AS n ON n.oid = c.opfnamespace
    JOIN pg_am AS a ON a.oid = c.opfmethod
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_opfamily", alias="c")}
  ) || ARRAY(
    SELECT format('DROP OPERATOR IF EXISTS %s CASCADE', c.oid::regoperator) FROM pg_operator AS c
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_operator", alias="c")}
  ) || ARRAY(
    SELECT format('DROP CONVERSION IF EXISTS %I.%I CASCADE', nspname, conname)
    FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
    WHERE {SCHEMAS} AND {OWN.format(catalog="pg_conversion", alias="c")}
  ) || ARRAY(
    SELECT format('DROP SERVER IF EXISTS %I CASCADE', srvname) FROM pg_foreign_server AS c
    WHERE {OWN.format(catalog="pg_foreign_server", alias="c")}
  ) || ARRAY(
    SELECT format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', fdwname)
    FROM pg_foreign_data_wrapper AS c
    WHERE {OWN.format(catalog="pg_foreign_data_wrapper", alias="c")}
  ) || ARRAY(
    SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace AS n
    WHERE {SCHEMAS} AND nspname <> 'public'
      AND NOT EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)
      AND {OWN.format(catalog="pg_namespace", alias="n")}
  ) || ARRAY(
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE relkind
        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
        WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, nspname, relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {SCHEMAS}
      AND {OWN.format(catalog="pg_class", alias="c")}
    ORDER BY relkind = 'S'
  ) || ARRAY(
    SELECT format('DROP TEXT SEARCH CONFIGURATION IF EXISTS %I.%I CASCADE', nspname, cfgname)
    FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
    WHERE {SCHEMAS} AND {OWN.format(catalog="pg_ts_config", alias="c")}
  ) || ARRAY(
    SELECT format('DROP TEXT SEARCH DICTIONARY IF EXISTS %I.%I CASCADE', nspname, dictname)
    FROM pg_ts_dict AS c JOIN pg_namespace AS n ON n.oid = c.dictnamespace
    WHERE {SCHEMAS} AND {OWN.format(catalog="pg_ts_dict", alias="c")}
  ) || ARRAY(
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', c.oid::regprocedure)
    FROM pg_proc AS c JOIN pg_namespace AS n ON n.oid = c.pronamespace
    WHERE {SCHEMAS} AND {OWN.format(catalog="pg_proc", alias="c")}
  ) || ARRAY(
    SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', nspname, typname)
    FROM pg_type AS c JOIN pg_namespace AS n ON n.oid = c.typnamespace
    WHERE typtype IN ('e', 'd', 'r') AND {SCHEMAS} AND {OWN.format(catalog="pg_type", alias="c")}
  ) || ARRAY(
    SELECT format('DROP COLLATION IF EXISTS %I.%I CASCADE', nspname, collname)
    FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
    WHERE {SCHEMAS} AND {OWN.format(catalog="pg_collation", alias="c")}
  ) || ARRAY(
    SELECT format('DROP LANGUAGE IF EXISTS %I CASCADE', lanname) FROM pg_language AS c
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_language", alias="c")}
  ) || ARRAY(
    SELECT format('DROP ACCESS METHOD IF EXISTS %I CASCADE', amname) FROM pg_am AS c
    WHERE c.oid >= {FIRST_OID} AND {OWN.format(catalog="pg_am", alias="c")}
  ) || ARRAY(SELECT format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata);
  FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP;
END $empty$
"""  # noqa: S608 - constants


def check(connection: psycopg.Connection, made: Manifest, *, replace: bool) -> None:
    """Make sure that a backup may be restored into a database.

    Raises:
        BackupError: its server is too old, it is not empty, or it is in use.
    """
    server = connection.info.server_version // 10_000
    if server < made.server // 10_000:
        raise BackupError(
            f"The server is PostgreSQL {server}, and the backup is of {made.server // 10_000}: "
            "restore it into that version or a newer one."
        )
    if not replace and _number(connection, RELATIONS):
        raise BackupError(
            "The database is not empty: restore into a new one, or replace all that is in it with "
            "--replace."
        )
    if replace and (others := _others(connection)):
        raise BackupError(
            f"The database is in use by {others} other connections: stop the web processes, the "
            "workers and the scheduler first."
        )


def check_code(made: Manifest) -> None:
    """Make sure that the code knows the migrations of a backup.

    Raises:
        BackupError: it does not, since it is older.
    """
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = set(loader.disk_migrations)
    known |= {old for each in loader.disk_migrations.values() for old in each.replaces}
    for label in made.migrations:
        app, _, name = label.partition(".")
        if app in loader.migrated_apps and (app, name) not in known:
            raise BackupError(
                f"The backup has the migration {label}, which this version of the site does not: "
                "restore it with the version that made it, or a newer one."
            )


def choose(listing: str, connection: psycopg.Connection, made: Manifest) -> tuple[str, list[str]]:
    """Return what of a dump to restore into a database, and the extensions left out of it.

    Left out are ParadeDB and its indexes, which are rebuilt, extensions and schemas that are
    there already, and extensions that the server does not have. If a table needs one of these, the
    restoration fails at that.

    Args:
        listing: as `pg_restore --list` writes it.
        connection: to the database, as it is when the dump is restored.
        made: the manifest.
    """
    here = _column(connection, "SELECT extname FROM pg_extension")
    available = _column(connection, "SELECT name FROM pg_available_extensions")
    schemas = _column(connection, "SELECT nspname FROM pg_namespace")
    missing = [name for name in made.extensions if name not in available]
    unwanted = here | set(missing) | {DERIVED}
    out = [f" COMMENT - EXTENSION {name} " for name in made.extensions]
    out += [f" EXTENSION - {name} " for name in unwanted]
    out += [f" INDEX {schema} {name} " for schema, name in made.search_indexes]
    out += [f" COMMENT {schema} INDEX {name} " for schema, name in made.search_indexes]
    theirs = {made.extensions[name] for name in (*missing, DERIVED) if name in made.extensions}
    for schema in theirs - {"public"}:  # where ParadeDB keeps what it needs for its indexes
        out += [f" TABLE DATA {schema} ", f" SEQUENCE SET {schema} "]
    out += [f" SCHEMA - {name} " for name in schemas | theirs]
    lines = [
        f";{line}" if any(each in f"{line} " for each in out) else line
        for line in listing.splitlines()
    ]
    return "\n".join([*lines, ""]), [name for name in missing if name != DERIVED]


def _others(connection: psycopg.Connection) -> int:
    """Return how many others are connected. One that has just ended may be listed for a moment."""
    deadline = time.monotonic() + LEAVING
    while (others := _number(connection, OTHERS)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return others


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _column(connection: psycopg.Connection, query: str) -> set[Any]:
    return {value for (value,) in connection.execute(query.encode())}
