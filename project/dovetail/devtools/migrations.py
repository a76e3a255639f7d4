"""Reports what new migrations do to a site that is in use: what blocks it, or breaks former code.

squawk judges the SQL. Own code says what to do in Django, finds what SQL does not show, and knows
which migrations are new. Of 25 planted cases, squawk 2.70 finds 22, and django-migration-linter
6.0 finds 18: docs/release.md has them.
"""

import copy
import json
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import sqlparse
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunPython, RunSQL
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from dovetail.devtools.errors import SetupError

Key = tuple[str, str]  # an app's label, and the name of a migration

OLDEST_POSTGRES = "15"
ACCEPTED = "# accept "  # RULE: REASON
# Matters of style; `migrate` sets the limits; and a constraint that is gone refuses nothing.
IGNORED = (
    "prefer-",
    "require-lock-timeout",
    "require-statement-timeout",
    "ban-drop-constraint",
)
# Django looks it up in the database, where it is gone already if that has been migrated.
GONE = "Found wrong number"
# What Django's operations make of these rules' own advice.
REMEDIES = {
    "ban-drop-default": (
        "former code inserts rows without this column, which has no default in the database: give "
        "the field a db_default"
    ),
    "ban-drop-column": "former code still reads it: first release code without it",
    "ban-drop-table": "former code still reads it: first release code without it",
    "renaming-column": "former code still uses the old name: keep it with db_column",
    "renaming-table": "former code still uses the old name: keep it with Meta.db_table",
    "changing-column-type": (
        "unless it only becomes longer, this rewrites the table while no one can read it: add a "
        "column, and copy in batches"
    ),
    "adding-not-nullable-field": (
        "this reads the whole table while no one can use it: add a NOT VALID check first"
    ),
    "adding-field-with-default": (
        "unless the default is the same for all rows, this rewrites the table while no one can "
        "read it: add a nullable column, and fill it in batches"
    ),
    "require-concurrent-index-creation": (
        "no one can write until the index is built: AddIndexConcurrently, in a migration of its "
        "own with atomic = False; for a foreign key, db_index=False before that"
    ),
    "disallowed-unique-constraint": (
        "no one can use the table until the index is built: create a unique index concurrently, "
        "then add the constraint with USING INDEX"
    ),
    "constraint-missing-not-valid": (
        "this reads the whole table while no one can write: AddConstraintNotValid, and "
        "ValidateConstraint in another migration"
    ),
    "adding-foreign-key-constraint": (
        "no one can write to both tables meanwhile: db_constraint=False, then NOT VALID, and "
        "VALIDATE in another migration"
    ),
    "ban-drop-not-null": "former code may read no value: first release code that expects it",
}
MIXED = "data-with-schema"
MIXED_REMEDY = "the table stays locked until RunPython has ended: move it to a migration of its own"
REFUSED = "not-possible"
NAME = r"""((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)"""
CREATES_TABLE = re.compile(rf"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?!IF\s){NAME}", re.IGNORECASE)
CREATES_INDEX = re.compile(
    rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?{NAME}\s+ON\s+{NAME}", re.IGNORECASE
)
ALTERS = re.compile(
    rf"ALTER\s+(?:TABLE|INDEX)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{NAME}", re.IGNORECASE
)
RENAMES = re.compile(rf"{ALTERS.pattern}\s+RENAME\s+TO\s+{NAME}", re.IGNORECASE)
DROPS = re.compile(
    r"DROP\s+(?:TABLE|INDEX)\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?"
    rf"{NAME}(?:\s+(?:CASCADE|RESTRICT))?\s*;?$",
    re.IGNORECASE,
)
HEAD = """\
# The last migration of each app in the last release, which `manage.py lint_migrations --release`
# writes. `lint_migrations` looks at those that come after them.
"""


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong with a migration.

    Attributes:
        migration: its key.
        rule: the name of what it breaks, to accept it by.
        message: what happens, and the remedy.
    """

    migration: Key
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(self.migration)}: {self.rule}: {self.message}"


def released_file() -> Path:
    return Path(settings.PROJECT_DIR) / "released_migrations.txt"


def read_released() -> set[Key]:
    """Return the last migrations of each app at the last release.

    Raises:
        SetupError: the file is missing, or a line is not an app and a migration.
    """
    path = released_file()
    released = set()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"{path} is missing: write it with `manage.py lint_migrations --release`."
        raise SetupError(message) from None
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        try:
            label, name = line.split()
        except ValueError:
            message = f"{path}: {line!r} is not an app and a migration: APP NAME."
            raise SetupError(message) from None
        released.add((label, name))
    return released


def write_released(loader: MigrationLoader) -> None:
    """Write down the last migrations of the project's apps and of the kit as those of a release."""
    last = sorted(key for key in loader.graph.leaf_nodes() if _is_own(key[0]))
    lines = "".join(f"{label} {name}\n" for label, name in last)
    released_file().write_text(HEAD + lines, encoding="utf-8")


def lint(loader: MigrationLoader, released: Iterable[Key]) -> list[Finding]:
    """Return what is unsafe in the project's migrations since a release, and not accepted.

    Needs the database, because parts of Django's SQL depend on it; changes nothing there.

    Args:
        loader: knows the migrations.
        released: the last ones of each app at that release.

    Raises:
        SetupError: squawk did not run.
    """
    new = list(_new(loader, released))
    found: set[Finding] = set()
    sql: dict[Key, str] = {}
    state = loader.project_state([key for key in loader.graph.nodes if key not in new], at_end=True)
    created: set[str] = set()
    for key in new:
        migration = loader.graph.nodes[key]
        found |= set(_mixed(key, migration))
        with connections[DEFAULT_DB_ALIAS].schema_editor(
            collect_sql=True, atomic=migration.atomic
        ) as editor:
            for operation in migration.operations:
                found |= set(_apply(key, migration, operation, state, editor))
        sql[key] = "\n".join(_on_tables_in_use(editor.collected_sql, created))
    if sql:
        found |= set(_squawk(sql, {key for key in sql if loader.graph.nodes[key].atomic}))
    return sorted(_settle(loader, new, found))


def _apply(
    key: Key,
    migration: Migration,
    operation: Operation,
    state: ProjectState,
    editor: BaseDatabaseSchemaEditor,
) -> Iterator[Finding]:
    """Collect the SQL of one operation, and change the state, also if there is no SQL."""
    step = copy.copy(migration)
    vars(step)["operations"] = [operation]
    try:
        step.apply(state, editor, collect_sql=True)
    except (NotSupportedError, ValueError) as error:
        if not str(error).startswith(GONE):
            yield Finding(key, REFUSED, str(error))


def _on_tables_in_use(entries: Iterable[str], created: set[str]) -> Iterator[str]:
    """Yield the statements without those on tables that the new migrations have created.

    No process uses these yet, whatever happens to them.

    Args:
        entries: as Django collects them, with one statement each, or several, or a comment.
        created: the names of these tables and of their indexes so far, which this adds to.
    """
    for entry in entries:
        for statement in sqlparse.split(entry):
            text = sqlparse.format(statement, strip_comments=True).strip()
            if text and not _is_on_created(text, created):
                yield statement


def _is_on_created(statement: str, created: set[str]) -> bool:
    """Return whether a statement is on a table that is not in use, and note what it creates."""
    if table := CREATES_TABLE.match(statement):
        created.add(_name(table[1]))
        return False  # it may refer to one that is in use
    if index := CREATES_INDEX.match(statement):
        is_new = _name(index[2]) in created
        created |= {_name(index[1])} if is_new else set()
        return is_new
    target = ALTERS.match(statement) or DROPS.match(statement)
    if not target or _name(target[1]) not in created:
        return False
    if renamed := RENAMES.match(statement):
        created.add(_name(renamed[2]))
    return True


def _name(quoted: str) -> str:
    return quoted.replace('"', "")


def _new(loader: MigrationLoader, released: Iterable[Key]) -> Iterator[Key]:
    """Yield the project's migrations that are not released, in their order.

    Raises:
        SetupError: there is no such migration as one that is released.
    """
    graph = loader.graph
    released = set(released)
    for last in sorted(released):
        _check_released(loader, last)
    known = {key for last in released if last in graph.nodes for key in graph.forwards_plan(last)}
    seen = set(known)
    for last in graph.leaf_nodes():
        for key in graph.forwards_plan(last):
            if key not in seen and _is_own(key[0]):
                yield key
            seen.add(key)


def _check_released(loader: MigrationLoader, key: Key) -> None:
    """Refuse a migration that an app does not have, unless another one has replaced it.

    Apps that are not installed are none of the linter's business.
    """
    label, name = key
    replaced = {old for migration in loader.disk_migrations.values() for old in migration.replaces}
    if label not in apps.app_configs or key in loader.disk_migrations or key in replaced:
        return
    names = sorted(name for other, name in loader.disk_migrations if other == label)
    message = f"{released_file()}: {label} has no migration {name!r}; it has {', '.join(names)}."
    raise SetupError(message)


def _is_own(label: str) -> bool:
    """Return whether an app is part of the repository, and not of a library."""
    return "site-packages" not in Path(apps.get_app_config(label).path).parts


def _mixed(key: Key, migration: Migration) -> Iterator[Finding]:
    operations = [one for one in migration.operations if not _is_setting(one)]
    kinds = {isinstance(operation, RunPython) for operation in operations}
    if migration.atomic and len(kinds) > 1:
        yield Finding(key, MIXED, MIXED_REMEDY)


def _is_setting(operation: Operation) -> bool:
    """Return whether an operation does nothing but set parameters, as for a longer limit."""
    if not isinstance(operation, RunSQL) or not isinstance(operation.sql, str):
        return False
    text = sqlparse.format(operation.sql, strip_comments=True)
    return all(
        re.match(r"SET\s(?!CONSTRAINTS)", statement, re.IGNORECASE)
        for statement in sqlparse.split(text)
    )


def _squawk(sql: dict[Key, str], atomic: set[Key]) -> Iterator[Finding]:
    """Yield what squawk finds in each migration, unless it is about a table that this creates.

    It takes a table for new only in the transaction that creates it. So it reads them a second time
    as one transaction, and what it finds only there, or only here, does not count.
    """
    alone = {
        key: f"BEGIN;\n{text}\nCOMMIT;" if key in atomic else text for key, text in sql.items()
    }
    yield from set(_findings(alone)) & set(_findings(sql, "--assume-in-transaction"))


def _findings(sql: dict[Key, str], *options: str) -> Iterator[Finding]:
    lines = [(line, key) for key, text in sql.items() for line in text.splitlines()]
    program = Path(sysconfig.get_path("scripts")) / "squawk"
    result = subprocess.run(  # noqa: S603 - our own arguments
        [str(program), "--reporter=json", f"--pg-version={OLDEST_POSTGRES}", *options],
        input="\n".join(line for line, _ in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        reports = json.loads(result.stdout)
    except ValueError:
        raise SetupError(f"squawk failed: {result.stderr or result.stdout}") from None
    for report in reports:
        rule = report["rule_name"]
        if not rule.startswith(IGNORED):
            message = REMEDIES.get(rule) or f"{report['message']} {report['help'] or ''}".strip()
            yield Finding(lines[report["line"]][1], rule, message)


def _settle(loader: MigrationLoader, new: list[Key], found: set[Finding]) -> Iterator[Finding]:
    """Yield what is not accepted by a comment, and comments that accept what is not there."""
    for key in new:
        accepted = dict(_accepted(loader.graph.nodes[key]))
        findings = {finding for finding in found if finding.migration == key}
        yield from (finding for finding in findings if not accepted.get(finding.rule))
        for rule, reason in accepted.items():
            if not reason:
                yield Finding(key, rule, f"“{ACCEPTED}{rule}: REASON” needs a reason")
            elif rule not in {finding.rule for finding in findings}:
                yield Finding(key, rule, "is accepted, but not found: delete the comment")


def _accepted(migration: Migration) -> Iterator[tuple[str, str]]:
    path = import_module(migration.__module__).__file__
    assert path  # noqa: S101 - a migration is a file
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.strip().startswith(ACCEPTED):
            rule, _, reason = line.strip().removeprefix(ACCEPTED).partition(":")
            yield rule.strip(), reason.strip()
